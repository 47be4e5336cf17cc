// When to connect again after a connection was lost.

import { backoffMs } from './presence-close.js';
import { Timer } from './presence-environment.js';

/** @typedef {import('./presence-environment.js').Environment} Environment */

/** Waits between connections: as long as the server asked, or longer with each failure in a row. */
export class Retry {
  #env;
  #timer;
  #attempt = 0;
  #waitIsServers = false;

  /**
   * @param {Environment} env
   * @param {() => void} open  connects again
   */
  constructor(env, open) {
    this.#env = env;
    this.#timer = new Timer(env, open);
  }

  /**
   * @param {number | null} waitMs  what the server asked for; null: back off
   * @param {boolean} isFirst  the first failure of a row
   * @returns {number} the time until then, in milliseconds
   */
  plan(waitMs, isFirst) {
    if (isFirst) this.#attempt = 0;
    this.#waitIsServers = waitMs !== null;
    const delayMs = waitMs ?? backoffMs(this.#attempt, this.#env.random);
    this.#attempt += 1;
    this.#timer.start(delayMs);
    return delayMs;
  }

  /** @returns {boolean} whether it is time to connect, because nothing but a backoff was in the way */
  hurry() {
    if (!this.#timer.running || this.#waitIsServers) return false;
    this.reset();
    return true;
  }

  stop() {
    this.#timer.stop();
  }

  reset() {
    this.#attempt = 0;
    this.stop();
  }
}
