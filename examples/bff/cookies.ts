export interface Cookie {
  /** What forgets it. */
  readonly clear: string;
  write(value: string): string;
  read(request: Request): string | undefined;
}

/** `__Host-`: the browser takes it over TLS alone (or on this machine), and gives it to this host alone. HttpOnly: to no script. */
export function hostCookie(name: string, sameSite: 'Strict' | 'Lax', maxAgeS?: number): Cookie {
  const full = `__Host-${name}`;
  const attributes = `Path=/; Secure; HttpOnly; SameSite=${sameSite}`;
  const pattern = new RegExp(`(?:^|; )${full}=([\\w-]+)`);
  return {
    clear: `${full}=; Max-Age=0; ${attributes}`,
    write: (value) => `${full}=${value}; ${maxAgeS === undefined ? '' : `Max-Age=${maxAgeS}; `}${attributes}`,
    read: (request) => pattern.exec(request.headers.get('cookie') ?? '')?.[1],
  };
}
