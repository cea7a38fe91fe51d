// All that is used of jose in a browser, by the files that it lies in: a bundler that splits keeps a whole package together.
export { decodeProtectedHeader } from 'jose/decode/protected_header';
export { createLocalJWKSet } from 'jose/jwks/local';
export { SignJWT } from 'jose/jwt/sign';
export { UnsecuredJWT } from 'jose/jwt/unsecured';
export { jwtVerify } from 'jose/jwt/verify';
