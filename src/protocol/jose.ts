// All that is used of jose, so that a bundler can leave out the rest of what is loaded on demand.
export { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, importPKCS8, SignJWT } from 'jose';
