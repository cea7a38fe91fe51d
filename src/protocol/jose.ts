// All that is used of jose, so that a bundler can leave out the rest of what is loaded on demand.
export {
  calculateJwkThumbprint,
  createLocalJWKSet,
  decodeProtectedHeader,
  errors,
  exportJWK,
  generateKeyPair,
  importJWK,
  importPKCS8,
  jwtVerify,
  SignJWT,
  UnsecuredJWT,
} from 'jose';
