// Says to screen readers who joined and who left.

import { announcement } from './presence-people.js';

/** @typedef {import('./presence-replica.js').UsersChange} UsersChange */

const AFTER_MS = 1500;

/** Those that announce the news of a client; only the first of them speaks. @type {WeakMap<object, Set<News>>} */
const speakers = new WeakMap();

/** Gathers news for a moment, then writes them into a live region. */
export class News {
  #region;
  #mode;
  #timer = 0;
  /** @type {Map<string, {name: string, change: 'joined' | 'left'}>} */
  #items = new Map();
  /** @type {Set<News>} */
  #others = new Set();

  /**
   * @param {HTMLElement} region
   * @param {() => string | null} mode  `off`: nothing; `brief`: no names
   */
  constructor(region, mode) {
    this.#region = region;
    this.#mode = mode;
  }

  /** @param {object} client  whose news they will be */
  attach(client) {
    this.#others = speakers.get(client) ?? new Set();
    speakers.set(client, this.#others.add(this));
  }

  detach() {
    this.#others.delete(this);
    this.#items.clear();
  }

  /** @param {UsersChange} change */
  note({ kind, user }) {
    if ((kind !== 'joined' && kind !== 'left') || user === null) return;
    const before = this.#items.get(user.user_id);
    // A person who joined and left within a moment is not worth announcing.
    if (before && before.change !== kind) this.#items.delete(user.user_id);
    else this.#items.set(user.user_id, { name: user.display_name, change: kind });
    this.#timer ||= window.setTimeout(() => this.#announce(), AFTER_MS);
  }

  #announce() {
    this.#timer = 0;
    const items = [...this.#items.values()];
    this.#items.clear();
    const mode = this.#mode();
    if (mode === 'off' || this.#others.values().next().value !== this) return;
    const names = (/** @type {string} */ change) =>
      items.filter((item) => item.change === change).map((item) => item.name);
    const text = announcement(names('joined'), names('left'), mode === 'brief');
    if (text) this.#region.textContent = text;
  }
}
