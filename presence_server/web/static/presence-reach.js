// Notices a server that cannot be reached at all. A browser does not tell a page
// why: a wrong address, no server, or a page that may not connect to it.

import { serverOf } from './presence-address.js';

/** @typedef {import('./presence-environment.js').Environment} Environment */
/** @typedef {import('./presence-types.js').Options} Options */

/** A client that was never let in says so after as many attempts. */
const ATTEMPTS = 3;

/** Counts the attempts before the first session. */
export class Reach {
  #options;
  #env;
  #report;
  #failures = 0;

  /**
   * @param {Options} options
   * @param {Environment} env
   * @param {(code: string, message: string) => void} report
   */
  constructor(options, env, report) {
    this.#options = options;
    this.#env = env;
    this.#report = report;
  }

  /** The server let the client in. */
  reached() {
    this.#failures = -Infinity;
  }

  /** A socket was lost without a word of the server. */
  failed() {
    this.#failures += 1;
    if (this.#failures !== ATTEMPTS) return;
    this.#report('UNREACHABLE', `no connection to ${serverOf(this.#options, this.#env.baseUrl)}`);
  }
}
