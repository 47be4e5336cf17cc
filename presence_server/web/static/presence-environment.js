// Everything that the client library takes from the browser, in one place, so
// that tests can replace it by a fake clock, socket or page.

/**
 * @typedef {object} Environment
 * @property {typeof globalThis.WebSocket} WebSocket
 * @property {(callback: () => void, delayMs: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 * @property {() => number} now  milliseconds of a clock that nobody can set: for intervals
 * @property {() => number} wallNow  milliseconds since the epoch: for people
 * @property {() => number} random  uniform in [0, 1)
 * @property {EventTarget | null} window  source of online, offline, pagehide, pageshow and input
 * @property {(EventTarget & {visibilityState: string}) | null} document
 * @property {() => Storage | null} sessionStorage  null where storage is blocked
 * @property {string} baseUrl  what a relative server address is relative to
 */

/**
 * The environment of a real page.
 *
 * @returns {Environment}
 */
export function browserEnvironment() {
  return {
    WebSocket: globalThis.WebSocket,
    setTimeout: (callback, delayMs) => globalThis.setTimeout(callback, delayMs),
    clearTimeout: (timer) => globalThis.clearTimeout(timer),
    now: () => performance.now(),
    wallNow: () => Date.now(),
    random: () => Math.random(),
    window: globalThis.window ?? null,
    document: globalThis.document ?? null,
    sessionStorage: () => {
      try {
        return globalThis.sessionStorage;
      } catch {
        return null; // blocked by the user's privacy settings
      }
    },
    baseUrl: globalThis.location?.href ?? 'http://localhost/',
  };
}

/**
 * A timer that can be armed again and again; at most one is pending.
 */
export class Timer {
  #env;
  #callback;
  #handle = null;
  /** When it fires, by `env.now()`; Infinity while not armed. */
  dueAt = Infinity;

  /**
   * @param {Environment} env
   * @param {() => void} callback
   */
  constructor(env, callback) {
    this.#env = env;
    this.#callback = callback;
  }

  /** @param {number} delayMs */
  start(delayMs) {
    this.stop();
    // Browsers run a longer delay at once; the callback has to look at the time.
    const bounded = Math.min(Math.max(0, delayMs), 2 ** 31 - 1);
    this.dueAt = this.#env.now() + bounded;
    this.#handle = this.#env.setTimeout(() => {
      this.#handle = null;
      this.dueAt = Infinity;
      this.#callback();
    }, bounded);
  }

  stop() {
    if (this.#handle !== null) this.#env.clearTimeout(this.#handle);
    this.#handle = null;
    this.dueAt = Infinity;
  }

  get running() {
    return this.#handle !== null;
  }
}
