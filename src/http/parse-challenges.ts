/** One challenge of a `WWW-Authenticate` header (RFC 9110 §11.6.1). */
export interface Challenge {
  /** In lower case. */
  readonly scheme: string;
  readonly token68?: string;
  /** Names in lower case; of duplicates the first counts. Has no prototype. */
  readonly params: Readonly<Record<string, string>>;
}

const longestHeader = 16_384;

// One list element: a name, and after it a parameter's value, a token68, or nothing (then it is a scheme).
const element = /[ \t,]*([\w!#$%&'*+.^`|~-]+)(?:(?:[ \t]*=[ \t]*(?:([\w!#$%&'*+.^`|~-]+)|"((?:[^"\\]|\\.)*)")|[ \t]+([\w.~+/-]+=*))?[ \t]*(?=,|$)|[ \t]+)/gy;

/**
 * The challenges of a response: all its `WWW-Authenticate` headers, in their order. Never throws: a header that is missing,
 * hidden (browsers show it across origins only where CORS exposes it), malformed or longer than 16 KiB yields none.
 */
export function parseChallenges(response: Response): Challenge[] {
  const header = response.headers.get('www-authenticate') ?? '';
  const challenges: { scheme: string; token68?: string; params: Record<string, string> }[] = [];
  let read = 0;
  if (header.length > longestHeader) return [];
  for (const [all, written = '', token, quoted, token68] of header.matchAll(element)) {
    read += all.length;
    const name = written.toLowerCase();
    const value = token ?? quoted?.replace(/\\(.)/g, '$1');
    const current = challenges.at(-1);
    if (value === undefined) challenges.push({ scheme: name, ...(token68 !== undefined && { token68 }), params: Object.create(null) });
    else if (!current || current.token68 !== undefined) return [];
    else current.params[name] ??= value;
  }
  return /[^ \t,]/.test(header.slice(read)) ? [] : challenges;
}
