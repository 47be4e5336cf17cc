// Keeps a tab's session id over a reload.
//
// sessionStorage belongs to one tab, but "duplicate tab" and window.open() copy it.
// With a copied id the duplicate would take the session from the original. So the
// id is in the storage only while no running page uses it: a page takes it out
// when it connects, and puts it back when it is left, reloaded or kept for "back".

/** @typedef {import('./presence-environment.js').Environment} Environment */

/** The session id of one board in this tab's storage. */
export class SessionStore {
  #env;
  #key;

  /**
   * @param {Environment} env
   * @param {string} board
   */
  constructor(env, board) {
    this.#env = env;
    this.#key = `presence:session:${board}`;
  }

  /**
   * Take the id out of the storage.
   *
   * @returns {string | null}
   */
  claim() {
    return this.#attempt((storage) => {
      const sessionId = storage.getItem(this.#key);
      if (sessionId !== null) storage.removeItem(this.#key);
      return sessionId;
    });
  }

  /**
   * Leave the id for the page that follows this one in the same tab.
   *
   * @param {string | null} sessionId
   */
  release(sessionId) {
    if (sessionId) this.#attempt((storage) => storage.setItem(this.#key, sessionId));
  }

  /**
   * Without storage a reload starts a new session; nothing else is lost.
   *
   * @template T
   * @param {(storage: Storage) => T} use
   * @returns {T | null}
   */
  #attempt(use) {
    try {
      const storage = this.#env.sessionStorage();
      return storage ? use(storage) : null;
    } catch {
      return null;
    }
  }
}
