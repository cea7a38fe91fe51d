const mark = '[…]';

/**
 * What may be shown of text from outside: without control and invisible characters, without any secret that was sent
 * and without anything that looks like a token, and then cut. (`standards.md` P26, P27, S6)
 */
export function excerpt(text: string, secrets: readonly string[], limit: number): string {
  let shown = clean(text);
  for (const secret of secrets) {
    for (const spelling of spellings([secret.replace(/\p{Cs}/gu, '\ufffd'), clean(secret)])) shown = shown.replaceAll(spelling, mark);
  }
  shown = shown.replace(/[\w.~+/=%-]{16,}/g, mark).trim();
  return shown.length > limit ? `${shown.slice(0, limit - 1)}…` : shown;
}

function clean(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, '');
}

// A server that echoes a secret may have encoded it. Longest first: the plain spelling may be a part of another.
function spellings(secrets: readonly string[]): string[] {
  const all = secrets.flatMap((secret) => [
    encodeURIComponent(secret),
    new URLSearchParams([['', secret]]).toString().slice(1),
    JSON.stringify(secret).slice(1, -1),
    secret,
  ]);
  return all.filter(Boolean).sort((a, b) => b.length - a.length);
}
