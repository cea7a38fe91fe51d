import { OAuth2Client } from 'google-auth-library';
import { report } from '../../cold/report.mjs';

const client = new OAuth2Client({ clientId: 'bench', clientSecret: 'secret', endpoints: { oauth2TokenUrl: `${process.argv[2]}/token` } });
client.setCredentials({ refresh_token: 'a-refresh-token' });
const { token } = await client.getAccessToken();
if (token) report();
