import { OAuth2Client, OAuth2Fetch } from '@badgateway/oauth2-client';
import { report } from '../../cold/report.mjs';

const client = new OAuth2Client({ server: `${process.argv[2]}/`, clientId: 'bench', clientSecret: 'secret', tokenEndpoint: '/token' });
const wrapper = new OAuth2Fetch({ client, getNewToken: () => client.clientCredentials() });
const token = await wrapper.getToken();
if (token.accessToken) report();
