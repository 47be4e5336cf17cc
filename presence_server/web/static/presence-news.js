// Says to screen readers who joined and who left, and whether the connection stands.

/** @typedef {import('./presence-replica.js').UsersChange} UsersChange */
/** @typedef {import('./presence-words.js').Words} Words */

const AFTER_MS = 1500;

/** Those that announce the news of a client; only the first of them speaks. @type {WeakMap<object, Set<News>>} */
const speakers = new WeakMap();

/** Gathers news for a moment, then writes them into a live region. */
export class News {
  #region;
  #mode;
  #words;
  #timer = 0;
  #isLost = false;
  #saidLost = false;
  /** @type {Map<string, {name: string, change: 'joined' | 'left'}>} */
  #items = new Map();
  /** @type {Set<News>} */
  #others = new Set();

  /**
   * @param {HTMLElement} region
   * @param {() => string | null} mode  `off`: nothing; `brief`: no names
   * @param {() => Words} words
   */
  constructor(region, mode, words) {
    this.#region = region;
    this.#mode = mode;
    this.#words = words;
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
    this.#plan();
  }

  /** @param {boolean} isLost */
  connection(isLost) {
    if (isLost === this.#isLost) return;
    this.#isLost = isLost;
    this.#plan();
  }

  #plan() {
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
    const words = this.#words();
    const texts = [words.news(names('joined'), names('left'), mode === 'brief')];
    if (this.#isLost !== this.#saidLost) texts.unshift(words.say(this.#isLost ? 'reconnecting' : 'back'));
    this.#saidLost = this.#isLost;
    const text = texts.filter(Boolean).join('. ');
    if (text) this.#region.textContent = text;
  }
}
