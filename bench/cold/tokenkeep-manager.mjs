import { clientCredentials, clientSecretBasic, createTokenManager } from 'tokenkeep';
import { report } from './report.mjs';

const grant = clientCredentials({ issuer: String(process.argv[2]), clientId: 'bench', auth: clientSecretBasic('secret') });
const token = await createTokenManager({ grant }).getToken();
if (token.value) report();
