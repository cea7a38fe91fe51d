import { ClientCredentials } from 'simple-oauth2';
import { report } from '../../cold/report.mjs';

const client = new ClientCredentials({ client: { id: 'bench', secret: 'secret' }, auth: { tokenHost: String(process.argv[2]), tokenPath: '/token' } });
const token = await client.getToken({});
if (token.token['access_token']) report();
