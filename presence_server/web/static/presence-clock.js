// The server's time, which a wrong clock on this machine does not change.

/** @typedef {import('./presence-environment.js').Environment} Environment */

/** Tells the server's time from what the server said last, and the time that went by since. */
export class ServerClock {
  #env;
  /** The server's time minus the monotonic time here. @type {number | null} */
  #offset = null;

  /** @param {Environment} env */
  constructor(env) {
    this.#env = env;
  }

  /** @param {unknown} serverTime  milliseconds since the epoch, from an event that just came */
  heard(serverTime) {
    if (typeof serverTime === 'number') this.#offset = serverTime - this.#env.now();
  }

  /** The server's time in milliseconds since the epoch; this machine's until the server told it. */
  get now() {
    return this.#offset === null ? this.#env.wallNow() : this.#env.now() + this.#offset;
  }
}
