// Says in the console, once for each code, what a developer can do about an error.

/** @type {Record<string, string>} */
const CURES = {
  UNAUTHORIZED: 'The server wants a valid token: give `token`, or better `getToken`, which is asked for a new one in time.',
  FORBIDDEN: 'The token does not allow this. Look at its claims `boards` and `profile`.',
  TOKEN_UNAVAILABLE: '`getToken` has to return a token, or a promise of one, within 15 seconds.',
  UNREACHABLE: 'Is `server` the address of the presence server, does it run, and is the origin of this page in its setting `auth.allowed_origins`?',
};

/** Warns about errors that a developer has to mend. */
export class Complaints {
  /** @type {Set<string>} */
  #made = new Set();

  /** @param {{code: string, message: string}} error */
  about({ code, message }) {
    if (!Object.hasOwn(CURES, code) || this.#made.has(code)) return;
    this.#made.add(code);
    console.warn(`presence: ${code}: ${message}. ${CURES[code]}`);
  }
}
