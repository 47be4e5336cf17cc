// What all elements share: a client by attributes, or one that the page gives;
// its state for style sheets, and its errors as events.

import { PROFILE_FIELDS } from './presence-address.js';
import { hold, keyOf, refresh, release } from './presence-registry.js';
import { Words } from './presence-words.js';

/** @typedef {import('./presence-client.js').PresenceClient} PresenceClient */
/** @typedef {import('./presence-types.js').Options} Options */

/** The attributes that name a client. */
export const CLIENT_ATTRIBUTES = ['board', 'server', 'token', ...PROFILE_FIELDS].map((name) => name.replaceAll('_', '-'));
/** Properties that are no attributes. */
const PROPERTIES = /** @type {const} */ (['client', 'getToken', 'strings']);

/**
 * An element of a board. Attributes, which may change at any time: `board`, `server`,
 * `token` and the fields of a profile (`user-id`, `display-name`, `avatar-url`, `color`),
 * as the options of {@link PresenceClient}; each is also a property (`userId`). Elements
 * of one page that name the same board, server and user share a client, which leaves a
 * second after the last of them is gone.
 */
export class PresenceElement extends /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {}) {
  static observedAttributes = CLIENT_ATTRIBUTES;

  /** @type {PresenceClient | null} */
  #client = null;
  /** Whether the page gave the client. */
  #isGiven = false;
  /** Under which the client is held. @type {string | null} */
  #key = null;
  /** @type {Options['getToken'] | null} */
  #getToken = null;
  /** @type {AbortController | null} */
  #listening = null;
  #isPlanned = false;
  /** @type {import('./presence-words.js').Strings | null} */
  #strings = null;
  /** For elements: what they say. */
  words = new Words(null);
  #states = this.attachInternals?.().states;

  /** The client whose board is shown. @returns {PresenceClient | null} */
  get client() {
    return this.#client;
  }

  /** @param {PresenceClient | null} client  null: the one that the attributes name */
  set client(client) {
    this.#release(true);
    this.#isGiven = client !== null;
    this.#client = client;
    if (this.isConnected) this.#configure();
  }

  /** Gives a token whenever one is needed, in the place of the attribute `token`. */
  get getToken() {
    return this.#getToken;
  }

  set getToken(getToken) {
    this.#getToken = getToken;
    this.#plan();
  }

  /** What the element says, in the place of English. */
  get strings() {
    return this.#strings;
  }

  set strings(strings) {
    this.words = new Words(strings);
    this.#strings = strings;
    this.changed();
  }

  connectedCallback() {
    for (const name of [...PROPERTIES, ...CLIENT_ATTRIBUTES.map(camelCase)]) this.#takeOver(name);
    this.#configure();
  }

  disconnectedCallback() {
    this.#unwatch();
    this.#release(false);
  }

  /** With this, a browser that moves the element does not disconnect it. */
  connectedMoveCallback() {}

  /** @param {string} name */
  attributeChangedCallback(name) {
    if (CLIENT_ATTRIBUTES.includes(name)) this.#plan();
    else this.changed();
  }

  /**
   * For elements: another client, or none, is shown from now on.
   *
   * @param {PresenceClient | null} _client
   * @param {AbortSignal | null} _signal  ends the listeners
   */
  watch(_client, _signal) {}

  /** For elements: there is something to draw anew. */
  changed() {}

  // --- the client -----------------------------------------------------------

  #plan() {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    // A framework sets one attribute after the other.
    queueMicrotask(() => {
      if (this.#isPlanned && this.isConnected) this.#configure();
      this.#isPlanned = false;
    });
  }

  /** Have the client that the page gave, or the one that the attributes name. */
  #configure() {
    this.#isPlanned = false;
    try {
      if (!this.#isGiven) this.#hold(this.#options());
    } catch (error) {
      this.#release(true);
      console.warn(`presence: ${this.localName}: ${error}`);
      this.#report({ code: 'INVALID_OPTIONS', message: String(error) });
    }
    this.#watch();
  }

  /** @param {Options | null} options */
  #hold(options) {
    const key = options && keyOf(options);
    if (options && key && key === this.#key) {
      refresh(key, options);
      return;
    }
    this.#release(true);
    if (!options) return;
    this.#client = hold(options);
    this.#key = key;
  }

  /** @param {boolean} now  do not wait for another element of the same board */
  #release(now) {
    if (now) delete this.dataset.error; // It was of another client.
    if (this.#key === null) return;
    release(this.#key, now);
    this.#key = null;
    this.#client = null;
  }

  /** @returns {Options | null} */
  #options() {
    /** @type {Record<string, any>} */
    const options = {};
    for (const name of CLIENT_ATTRIBUTES) options[name.replaceAll('-', '_')] = this.getAttribute(name) || undefined;
    if (this.#getToken) options.getToken = this.#getToken;
    return options.board ? /** @type {Options} */ (/** @type {unknown} */ (options)) : null;
  }

  /**
   * A property that was set before the element was defined hides the accessor.
   *
   * @param {string} name
   */
  #takeOver(name) {
    if (!Object.hasOwn(this, name)) return;
    const self = /** @type {any} */ (this);
    const value = self[name];
    delete self[name];
    self[name] = value;
  }

  #watch() {
    this.#unwatch();
    const client = this.#client;
    if (client !== null) {
      this.#listening = new AbortController();
      const { signal } = this.#listening;
      client.addEventListener('state', () => this.#showState(), { signal });
      client.addEventListener('error', (event) => this.#report(/** @type {CustomEvent} */ (event).detail), { signal });
    }
    this.#showState();
    this.watch(client, this.#listening?.signal ?? null);
    this.changed();
  }

  #unwatch() {
    this.#listening?.abort();
    this.#listening = null;
    this.watch(null, null);
  }

  // --- what style sheets and pages see ----------------------------------------

  #showState() {
    const state = this.#client?.state ?? 'none';
    if (state === 'joined' || state === 'queued') delete this.dataset.error;
    if (this.dataset.state === state) return;
    try {
      this.#states?.delete(this.dataset.state ?? '');
      this.#states?.add(state);
    } catch {
      // Chrome before 125 takes only names that begin with dashes; there is `data-state`.
    }
    this.dataset.state = state;
  }

  /** @param {{code: string, message: string}} detail */
  #report(detail) {
    this.dataset.error = detail.code;
    this.dispatchEvent(new CustomEvent('presence-error', { detail, bubbles: true, composed: true }));
  }
}

for (const attribute of CLIENT_ATTRIBUTES) {
  Object.defineProperty(PresenceElement.prototype, camelCase(attribute), {
    configurable: true,
    enumerable: true,
    get() {
      return this.getAttribute(attribute);
    },
    set(value) {
      if (value === null || value === undefined) this.removeAttribute(attribute);
      else this.setAttribute(attribute, value);
    },
  });
}

/** @param {string} name */
function camelCase(name) {
  return name.replace(/-(\w)/g, (_, letter) => letter.toUpperCase());
}

/**
 * Define an element, unless another copy of its module did; where pages are rendered
 * on a server there is no registry.
 *
 * @param {string} name
 * @param {CustomElementConstructor} element
 */
export function define(name, element) {
  if (globalThis.customElements && !customElements.get(name)) customElements.define(name, element);
}
