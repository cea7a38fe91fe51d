import { isTokenError, TokenError } from '../../core/errors.js';

/** Calls a function of the application that gives a credential. `what` it gives stands in the message of a failure. */
export async function askFor<T>(what: string, give: () => T | Promise<T>): Promise<T> {
  try {
    return await give();
  } catch (error) {
    if (isTokenError(error)) throw error;
    // The foreign error may hold the credential or the way to it: only the fact is told.
    throw new TokenError('grant_failed', `the function that gives ${what} failed`, { phase: 'token' });
  }
}
