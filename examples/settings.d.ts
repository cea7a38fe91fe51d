// Filled in by `examples/build.ts`.

/** The authorization server's issuer identifier. */
declare const ISSUER: string;
/** The API that the example calls. */
declare const API_URL: string;
