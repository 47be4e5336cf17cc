// What happens to the connection's page: hidden, restored, on and off the network.

/** @typedef {import('./presence-environment.js').Environment} Environment */

/**
 * @typedef {object} PageHandlers
 * @property {() => void} online  the network is back
 * @property {() => void} offline  the network may be gone
 * @property {() => void} leaving  the page is left, reloaded or kept for "back"
 * @property {() => void} restored  the page is back from the back/forward cache
 * @property {() => void} visible  the tab came to the front
 */

/** Listens to a page between start() and stop(). */
export class PageWatcher {
  #env;
  #handlers;
  /** Ends the listeners; null while stopped. @type {AbortController | null} */
  #listening = null;

  /**
   * @param {Environment} env
   * @param {PageHandlers} handlers
   */
  constructor(env, handlers) {
    this.#env = env;
    this.#handlers = handlers;
  }

  start() {
    this.stop();
    this.#listening = new AbortController();
    const options = { signal: this.#listening.signal };
    const { window, document } = this.#env;
    const { online, offline, leaving, restored, visible } = this.#handlers;
    window?.addEventListener('online', online, options);
    window?.addEventListener('offline', offline, options);
    window?.addEventListener('pagehide', leaving, options);
    window?.addEventListener('pageshow', (event) => {
      if (/** @type {PageTransitionEvent} */ (event).persisted) restored();
    }, options);
    document?.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') visible();
    }, options);
  }

  stop() {
    this.#listening?.abort();
    this.#listening = null;
  }
}
