// <presence-bar board="demo">: who is on the board, as a row of avatars.

import { PROFILE_FIELDS } from './presence-address.js';
import { element } from './presence-avatar.js';
import { PRESENCE_BAR_CSS } from './presence-bar-style.js';
import { PeopleList, Tip } from './presence-list.js';
import { News } from './presence-news.js';
import { inOrder } from './presence-people.js';
import { hold, keyOf, release } from './presence-registry.js';
import { PeopleRow } from './presence-row.js';

/** @typedef {import('./presence-client.js').PresenceClient} PresenceClient */
/** @typedef {import('./presence-types.js').Options} Options */

/** A client that was closed for these lets in a user with another token. */
const TOKEN_CODES = [4401, 4403];

const ofClient = ['board', 'server', 'token', ...PROFILE_FIELDS].map((name) => name.replaceAll('_', '-'));
const ofLayout = ['max', 'align', 'size', 'overlap'];
/** @type {CSSStyleSheet | null} */
let sheet = null;

/**
 * Attributes, which may change at any time: `board`, `server`, `token` and the
 * fields of a profile (`user-id`, `display-name`, `avatar-url`, `color`), as the
 * options of {@link PresenceClient}. Elements of one page that name the same board,
 * server and user share a client, which leaves a second after the last of them is
 * gone. A page may give the bar another client: `bar.client = client`.
 *
 * Layout: `max` avatars at most, `align` (`start`, `center`, `end`), `size` of an
 * avatar and their `overlap` in pixels.
 */
export class PresenceBar extends /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {}) {
  static observedAttributes = [...ofClient, ...ofLayout];

  /** @type {PresenceClient | null} */
  #client = null;
  /** Whether the page gave the client. */
  #isGiven = false;
  /** Under which the client is held. @type {string | null} */
  #key = null;
  /** @type {AbortController | null} */
  #listening = null;
  #isPlanned = false;
  #frame = 0;
  #width = 0;
  #room = new ResizeObserver(() => this.#resized());
  #root = this.attachShadow({ mode: 'open' });
  #row = new PeopleRow();
  #list;
  #tip;
  #news;

  constructor() {
    super();
    const tip = element('div', 'tip', '');
    const list = element('div', 'list', '');
    const region = element('div', 'quiet', '');
    const { bar, people, more, sizer } = this.#row;
    set(bar, { part: 'bar', 'data-testid': 'presence-bar' });
    set(people, { role: 'list', 'aria-label': 'People on this board' });
    set(more, {
      type: 'button', 'aria-haspopup': 'dialog', 'aria-expanded': 'false', 'data-testid': 'presence-overflow',
    });
    set(tip, { popover: 'manual', 'aria-hidden': 'true' });
    set(list, {
      popover: 'auto', role: 'dialog', 'aria-label': 'Everyone on this board', tabindex: '-1',
      'data-testid': 'presence-list',
    });
    set(region, { 'aria-live': 'polite', 'data-testid': 'presence-announcer' });
    set(sizer, { 'aria-hidden': 'true' });
    this.#root.adoptedStyleSheets = [styleSheet()];
    this.#root.append(sizer, bar, tip, list, region);
    this.#list = new PeopleList(list);
    this.#tip = new Tip(tip);
    this.#news = new News(region);
    people.addEventListener('pointerover', (event) => this.#point(event));
    people.addEventListener('pointerout', () => this.#tip.hide());
    more.popoverTargetElement = list;
    list.addEventListener('beforetoggle', (event) => this.#listToggles(event));
  }

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

  connectedCallback() {
    this.#takeOver('client');
    this.#room.observe(this);
    this.#configure();
  }

  disconnectedCallback() {
    this.#room.disconnect();
    this.#unwatch();
    this.#release(false);
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  /** With this, a browser that moves the element does not disconnect it. */
  connectedMoveCallback() {}

  /** @param {string} name */
  attributeChangedCallback(name) {
    if (ofLayout.includes(name)) this.#redraw();
    else if (!this.#isPlanned) {
      this.#isPlanned = true;
      // A framework sets one attribute after the other.
      queueMicrotask(() => {
        this.#isPlanned = false;
        if (this.isConnected) this.#configure();
      });
    }
  }

  // --- the client -----------------------------------------------------------

  /** Have the client that the page gave, or the one that the attributes name. */
  #configure() {
    if (!this.#isGiven) this.#hold(this.#options());
    this.#watch();
  }

  /** @param {Options | null} options */
  #hold(options) {
    const key = options && keyOf(options);
    if (key === this.#key) {
      if (options && this.#client) update(this.#client, options);
      return;
    }
    this.#release(true);
    if (!options) return;
    this.#client = hold(options);
    this.#key = key;
  }

  /** @param {boolean} now  do not wait for another element of the same board */
  #release(now) {
    if (this.#key === null) return;
    release(this.#key, now);
    this.#key = null;
    this.#client = null;
  }

  /** @returns {Options | null} */
  #options() {
    /** @type {Record<string, string | undefined>} */
    const options = {};
    for (const name of ofClient) options[name.replaceAll('-', '_')] = this.getAttribute(name) ?? undefined;
    return options.board ? /** @type {Options} */ (/** @type {unknown} */ (options)) : null;
  }

  /**
   * A property that was set before the element was defined hides the accessor.
   *
   * @param {'client'} name
   */
  #takeOver(name) {
    if (!Object.hasOwn(this, name)) return;
    const value = this[name];
    delete (/** @type {any} */ (this)[name]);
    this[name] = value;
  }

  #watch() {
    this.#unwatch();
    this.#redraw();
    const client = this.#client;
    if (client === null) return;
    this.#news.attach(client);
    this.#listening = new AbortController();
    const options = { signal: this.#listening.signal };
    client.addEventListener('users', (event) => {
      this.#news.note(/** @type {CustomEvent} */ (event).detail);
      this.#redraw();
    }, options);
    client.addEventListener('state', () => this.#redraw(), options);
  }

  #unwatch() {
    this.#listening?.abort();
    this.#listening = null;
    this.#news.detach();
  }

  // --- drawing --------------------------------------------------------------

  /** However many events come, once a frame. */
  #redraw() {
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  /** Draw before the browser paints the new size. */
  #resized() {
    if (this.clientWidth !== this.#width) this.#draw();
  }

  #draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const selfId = this.#client?.userId ?? null;
    const users = inOrder(this.#client?.users.values() ?? [], selfId);
    this.dataset.count = String(users.length);
    this.toggleAttribute('data-stale', this.#client?.state === 'reconnecting');
    this.#row.draw(users, selfId, this.#layout(), () => (this.#width = this.clientWidth));
    if (this.#list.isOpen) this.#list.draw(users, selfId);
  }

  #layout() {
    return {
      max: this.#number('max') ?? Infinity, size: this.#number('size'), overlap: this.#number('overlap') ?? 0,
    };
  }

  /**
   * @param {string} attribute
   * @returns {number | null} null when it is missing or bad
   */
  #number(attribute) {
    const value = Number.parseFloat(this.getAttribute(attribute) ?? '');
    return value >= 0 ? value : null;
  }

  // --- list and tip ---------------------------------------------------------

  /** @param {Event} event */
  #listToggles(event) {
    const opens = /** @type {ToggleEvent} */ (event).newState === 'open';
    this.#row.more.setAttribute('aria-expanded', String(opens));
    if (!opens) return;
    const selfId = this.#client?.userId ?? null;
    this.#list.draw(inOrder(this.#client?.users.values() ?? [], selfId), selfId);
    this.#list.place(this.#row.more.getBoundingClientRect());
  }

  /** @param {Event} event */
  #point(event) {
    const item = /** @type {Element} */ (event.target).closest('li');
    const user = item && this.#client?.users.get(item.dataset.userId ?? '');
    if (item && user) this.#tip.show(user, user.user_id === this.#client?.userId, item);
  }
}

/**
 * The attributes of a bar have changed, but not the board, the server or the user.
 *
 * @param {PresenceClient} client
 * @param {Options} options
 */
function update(client, options) {
  client.setProfile(options);
  if (options.token) client.setToken(options.token);
  if (client.state === 'closed' && TOKEN_CODES.includes(client.status.code ?? 0)) client.connect();
}

/**
 * @param {Element} target
 * @param {Record<string, string>} attributes
 */
function set(target, attributes) {
  for (const [name, value] of Object.entries(attributes)) target.setAttribute(name, value);
}

function styleSheet() {
  if (sheet === null) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(PRESENCE_BAR_CSS);
  }
  return sheet;
}

// Another copy of this module may have been here before; where pages are rendered
// on a server there is no registry.
if (globalThis.customElements && !customElements.get('presence-bar')) {
  customElements.define('presence-bar', PresenceBar);
}
