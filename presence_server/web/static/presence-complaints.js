// Says in the console, once for each code, what a developer can do about an error.

/** @type {Record<string, string>} */
const CURES = {
  UNAUTHORIZED: 'Give a valid `token`, or better `getToken`, which is asked for a new one in time.',
  FORBIDDEN: 'Look at the claims `boards` and `profile` of the token.',
  TOKEN_UNAVAILABLE: '`getToken` has to give a token within 15 seconds.',
  UNREACHABLE: 'Does the presence server run, is `server` its address, and does its setting `auth.allowed_origins` name the origin of this page?',
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
