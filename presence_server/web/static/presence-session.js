// What it takes to resume a session: its id, and for a guest the name that the
// server made up. Both outlast a reload of the tab.
//
// sessionStorage belongs to one tab, but "duplicate tab" and window.open() copy it.
// With a copied id the duplicate would take the session from the original. So the
// id is in the storage only while no running page uses it: a page takes it out
// when it connects, and puts it back when it is left, reloaded or kept for "back".

/** @typedef {import('./presence-address.js').Profile} Profile */
/** @typedef {import('./presence-environment.js').Environment} Environment */
/** @typedef {import('./presence-types.js').Options} Options */

/** A session on one board, as this tab knows it. */
export class Session {
  #env;
  #options;
  #key;
  #guestKey;
  /** @type {string | null} */
  id = null;
  /** Who the server made of a user without a `user_id`. @type {Profile | null} */
  guest = null;

  /**
   * @param {Environment} env
   * @param {Options} options
   */
  constructor(env, options) {
    this.#env = env;
    this.#options = options;
    this.#key = `presence:session:${options.board}`;
    this.#guestKey = `presence:guest:${options.board}`;
  }

  /**
   * The server has named the session.
   *
   * @param {string} id
   * @param {Profile} self  who the server says the user is
   */
  named(id, { user_id, display_name }) {
    this.id = id;
    const { user_id: chosen, token, getToken } = this.#options;
    if (chosen || token || getToken) return;
    this.guest = { user_id, display_name: display_name ?? this.guest?.display_name };
  }

  /** The user left: the next session is a new one, and of a new guest. */
  forget() {
    this.id = null;
    this.guest = null;
  }

  /** Take out of the storage what the page before this one in the same tab has left there. */
  claim() {
    const found = this.#attempt((storage) => {
      const id = storage.getItem(this.#key);
      const guest = storage.getItem(this.#guestKey);
      storage.removeItem(this.#key);
      storage.removeItem(this.#guestKey);
      return id === null ? null : { id, guest: guest === null ? null : JSON.parse(guest) };
    });
    if (found) Object.assign(this, found);
  }

  /** Leave it for the page that follows this one in the same tab. */
  release() {
    const { id, guest } = this;
    if (id === null) return;
    this.#attempt((storage) => {
      storage.setItem(this.#key, id);
      if (guest !== null) storage.setItem(this.#guestKey, JSON.stringify(guest));
    });
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
