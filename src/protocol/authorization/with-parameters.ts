/** Sets those that are there. */
export function setParameters(all: URLSearchParams, own: Readonly<Record<string, string | undefined>>): URLSearchParams {
  for (const [name, value] of Object.entries(own)) if (value !== undefined) all.set(name, value);
  return all;
}

/** An endpoint's URL for a user. A query that the endpoint has of its own is kept (RFC 6749 §3.1). */
export function withParameters(endpoint: string, parameters: URLSearchParams): string {
  const url = new URL(endpoint);
  for (const name of new Set(parameters.keys())) url.searchParams.delete(name);
  for (const [name, value] of parameters) url.searchParams.append(name, value);
  return url.href;
}
