import { clientSecretBasic } from 'tokenkeep';
import { createServiceClient } from 'tokenkeep/server';
import { report } from './report.mjs';

const client = createServiceClient({ issuer: String(process.argv[2]), clientId: 'bench', auth: clientSecretBasic('secret') });
const token = await client.tokens.getToken();
if (token.value) report();
