// What reads the private keys of confidential clients.
export { importJWK, importPKCS8 } from 'jose/key/import';
