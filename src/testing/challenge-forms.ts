/** `WWW-Authenticate` as real APIs send it with a 401, each a list of header lines (RFC 9110 §11.6.1, RFC 6750 §3). */
export const challengeForms: Readonly<Record<ChallengeForm, readonly string[]>> = {
  standard: ['Bearer realm="api", error="invalid_token", error_description="The access token expired"'],
  none: [],
  bare: ['Bearer'],
  oddCase: ['bEARER Realm=api, ERROR="invalid_token"'],
  unquoted: ['Bearer error=invalid_token'],
  spaces: ['Bearer   realm = "api" ,  error  =  "invalid_token" ,'],
  quoted: ['Bearer realm="a, b=\\"c\\", Basic realm=\\"d\\"", error="invalid_token"'],
  severalInOne: ['Basic realm="api", Bearer realm="api", error="invalid_token", Digest nonce="abc="'],
  severalHeaders: ['Basic realm="api"', 'Bearer error="invalid_token"'],
  token68: ['Negotiate YWJjZA==, Bearer error="invalid_token"'],
  duplicate: ['Bearer error="invalid_token", error="insufficient_scope"'],
  dpop: ['DPoP error="invalid_token", algs="ES256"'],
  basicOnly: ['Basic realm="api"'],
  invalidRequest: ['Bearer error="invalid_request"'],
  malformed: ['Bearer realm="api, error="invalid_token'],
  huge: [`Bearer realm="${'x'.repeat(20_000)}", error="invalid_token"`],
};

export type ChallengeForm =
  | 'standard'
  | 'none'
  | 'bare'
  | 'oddCase'
  | 'unquoted'
  | 'spaces'
  | 'quoted'
  | 'severalInOne'
  | 'severalHeaders'
  | 'token68'
  | 'duplicate'
  | 'dpop'
  | 'basicOnly'
  | 'invalidRequest'
  | 'malformed'
  | 'huge';
