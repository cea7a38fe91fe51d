/** One challenge of a `WWW-Authenticate` header (RFC 9110 §11.6.1). */
export interface Challenge {
  /** In lower case. */
  readonly scheme: string;
  readonly token68?: string;
  /** Names in lower case; of duplicates the first counts. Has no prototype. */
  readonly params: Readonly<Record<string, string>>;
}

const longestHeader = 16_384;

const separators = /[ \t,]*/y;
const token = /[\w!#$%&'*+.^`|~-]+/y;
const token68 = /[ \t]+([\w.~+/-]+=*)[ \t]*(?=,|$)/y;
const param = /[ \t]*=[ \t]*(?:([\w!#$%&'*+.^`|~-]+)|"((?:[^"\\]|\\.)*)")[ \t]*(?=,|$)/y;
const gap = /[ \t]+|(?=,|$)/y;

/**
 * The challenges of a response: all its `WWW-Authenticate` headers, in their order. Never throws: a header that is missing,
 * hidden (browsers show it across origins only where CORS exposes it), malformed or longer than 16 KiB yields none.
 */
export function parseChallenges(response: Response): Challenge[] {
  const header = response.headers.get('www-authenticate') ?? '';
  const challenges: { scheme: string; token68?: string; params: Record<string, string> }[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(header);
    if (match) at = pattern.lastIndex;
    return match;
  };
  if (header.length > longestHeader) return [];
  for (;;) {
    take(separators);
    if (at >= header.length) return challenges;
    const name = take(token)?.[0].toLowerCase();
    if (name === undefined) return [];
    const current = challenges.at(-1);
    const value = current && current.token68 === undefined ? take(param) : null;
    if (current && value) {
      current.params[name] ??= value[1] ?? (value[2] ?? '').replace(/\\(.)/g, '$1');
      continue;
    }
    const bare = take(token68)?.[1];
    if (bare === undefined && !take(gap)) return [];
    challenges.push({ scheme: name, ...(bare !== undefined && { token68: bare }), params: Object.create(null) });
  }
}
