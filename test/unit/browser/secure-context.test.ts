import { createSession } from 'tokenkeep/browser';
import { afterEach, expect, it, vi } from 'vitest';

const options = { issuer: 'https://login.example', clientId: 'spa', redirectUri: 'https://app.example/callback' } as const;

afterEach(() => vi.unstubAllGlobals());

it('refuses to keep tokens on a page that everyone on the way can change [S19]', () => {
  vi.stubGlobal('isSecureContext', false);
  expect(() => createSession(options)).toThrow(expect.objectContaining({ code: 'invalid_option', message: expect.stringContaining('https or localhost') }));
});

it('is made where there is no browser at all, and says that it knows nothing yet [X27]', () => {
  expect(createSession(options).snapshot()).toMatchObject({ state: 'restoring', status: 'empty', user: undefined });
});
