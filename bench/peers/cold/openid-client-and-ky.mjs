// What createServiceClient gives: a client that gets tokens, and a ky that sends calls.
import '../../../node_modules/ky/distribution/index.js';
import './openid-client.mjs';
