// <presence-bar board="demo">: who is on the board, as a row of avatars.

import { PROFILE_FIELDS } from './presence-address.js';
import { avatarOf, describe, element, peopleIcon } from './presence-avatar.js';
import { PRESENCE_BAR_CSS } from './presence-bar-style.js';
import { PresenceClient } from './presence-client.js';
import { announcement, inOrder, statusWord } from './presence-people.js';

/** @typedef {import('./presence-replica.js').User} User */
/** @typedef {import('./presence-replica.js').UsersChange} UsersChange */

const ANNOUNCE_AFTER_MS = 1500;
const GAP_PX = 8;
const BETWEEN_PX = 3;

const sheet = new CSSStyleSheet();
sheet.replaceSync(PRESENCE_BAR_CSS);

const template = document.createElement('template');
template.innerHTML = `
  <div class="bar" part="bar" data-testid="presence-bar">
    <ul class="people" role="list" aria-label="People on this board"></ul>
    <button class="more" type="button" aria-haspopup="dialog" aria-expanded="false"
      data-testid="presence-overflow" hidden></button>
  </div>
  <div class="tip" popover="manual" aria-hidden="true"><b></b><span></span></div>
  <div class="list" popover role="dialog" aria-label="Everyone on this board" tabindex="-1"
    data-testid="presence-list"><h2></h2><ul role="list"></ul></div>
  <div class="quiet" aria-live="polite" data-testid="presence-announcer"></div>`;

/**
 * Attributes: `board`, `server`, `token` and the fields of a profile (`user-id`,
 * `display-name`, `avatar-url`, `color`), as the options of {@link PresenceClient}.
 * From them the bar makes a client of its own when it is put into a page, unless
 * the page gave it one: `bar.client = client`.
 */
export class PresenceBar extends HTMLElement {
  /** @type {PresenceClient | null} */
  #client = null;
  #owned = false;
  /** @type {AbortController | null} */
  #listening = null;
  /** @type {Map<string, HTMLLIElement>} */
  #shown = new Map();
  #frame = 0;
  #announceTimer = 0;
  /** @type {Map<string, {name: string, change: 'joined' | 'left'}>} */
  #news = new Map();
  #room = new ResizeObserver(() => this.#redraw());
  #root = this.attachShadow({ mode: 'open' });

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [sheet];
    this.#root.append(template.content.cloneNode(true));
    this.#people.addEventListener('pointerover', (event) => this.#showTip(event));
    this.#people.addEventListener('pointerout', () => this.#tip.hidePopover());
    this.#more.popoverTargetElement = this.#list;
    this.#list.addEventListener('beforetoggle', (event) => this.#listToggles(event));
  }

  /** The client whose board is shown. @returns {PresenceClient | null} */
  get client() {
    return this.#client;
  }

  /** @param {PresenceClient | null} client */
  set client(client) {
    this.#release();
    this.#client = client;
    if (this.isConnected) this.#watch();
  }

  connectedCallback() {
    const board = this.getAttribute('board');
    if (this.#client === null && board) {
      this.#owned = true;
      this.#client = new PresenceClient({ board, ...this.#identity() });
    }
    this.#room.observe(this);
    this.#watch();
    if (this.#owned) this.#client?.connect();
  }

  disconnectedCallback() {
    this.#room.disconnect();
    this.#release();
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  #identity() {
    /** @type {Record<string, string | undefined>} */
    const options = {};
    for (const name of ['server', 'token', ...PROFILE_FIELDS]) {
      options[name] = this.getAttribute(name.replaceAll('_', '-')) ?? undefined;
    }
    return options;
  }

  #watch() {
    if (this.#client === null) return this.#redraw();
    this.#listening?.abort();
    this.#listening = new AbortController();
    const options = { signal: this.#listening.signal };
    this.#client.addEventListener('users', (event) => {
      this.#note(/** @type {CustomEvent<UsersChange>} */ (event).detail);
      this.#redraw();
    }, options);
    this.#client.addEventListener('state', () => this.#redraw(), options);
    this.#redraw();
  }

  #release() {
    this.#listening?.abort();
    this.#listening = null;
    this.#news.clear();
    if (!this.#owned) return;
    this.#owned = false;
    this.#client?.leave();
    this.#client = null;
  }

  // --- drawing --------------------------------------------------------------

  get #people() {
    return /** @type {HTMLUListElement} */ (this.#root.querySelector('.people'));
  }

  get #more() {
    return /** @type {HTMLButtonElement} */ (this.#root.querySelector('.more'));
  }

  get #tip() {
    return /** @type {HTMLElement} */ (this.#root.querySelector('.tip'));
  }

  get #list() {
    return /** @type {HTMLElement} */ (this.#root.querySelector('.list'));
  }

  /** However many events come, once a frame. */
  #redraw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #draw() {
    const selfId = this.#client?.userId ?? null;
    const users = inOrder(this.#client?.users.values() ?? [], selfId);
    this.dataset.count = String(users.length);
    this.toggleAttribute('data-stale', this.#client?.state === 'reconnecting');
    this.#drawMore(users.length, 0);
    const visible = users.slice(0, this.#fitting(users.length));
    this.#drawMore(users.length, users.length - visible.length);
    const gone = new Set(this.#shown.keys());
    visible.forEach((user, index) => {
      gone.delete(user.user_id);
      const item = this.#itemOf(user);
      describe(item, user, user.user_id === selfId);
      if (this.#people.children[index] !== item) {
        this.#people.insertBefore(item, this.#people.children[index] ?? null);
      }
    });
    for (const userId of gone) {
      this.#shown.get(userId)?.remove();
      this.#shown.delete(userId);
    }
    if (this.#list.matches(':popover-open')) this.#drawList(users, selfId);
  }

  /** @param {User} user */
  #itemOf(user) {
    let item = this.#shown.get(user.user_id);
    if (!item) {
      item = document.createElement('li');
      item.className = 'person arrived';
      item.dataset.testid = 'presence-user';
      item.dataset.userId = user.user_id;
      item.append(avatarOf(user), element('span', 'quiet', ''));
      this.#shown.set(user.user_id, item);
    }
    return item;
  }

  /**
   * @param {number} total
   * @returns {number} how many avatars there is room for
   */
  #fitting(total) {
    const size = parseFloat(getComputedStyle(this.#more).height) || 36;
    const step = size + BETWEEN_PX;
    const room = this.clientWidth - this.#more.offsetWidth - GAP_PX - 8;
    // The button shows the total here: with its icon that is wider than "+97".
    return Math.min(total, Math.max(1, Math.floor((room - size) / step) + 1));
  }

  /**
   * @param {number} total
   * @param {number} hidden
   */
  #drawMore(total, hidden) {
    this.#more.hidden = total === 0;
    const text = hidden > 0 ? `+${hidden}` : String(total);
    const people = total === 1 ? '1 person' : `${total} people`;
    if (this.#more.dataset.text !== text) {
      this.#more.dataset.text = text;
      this.#more.replaceChildren(...(hidden > 0 ? [] : [peopleIcon()]), text);
    }
    this.#more.setAttribute('aria-label', `Show all ${people} on this board`);
  }

  // --- the list of everyone -------------------------------------------------

  /** @param {Event} event */
  #listToggles(event) {
    const opens = /** @type {ToggleEvent} */ (event).newState === 'open';
    this.#more.setAttribute('aria-expanded', String(opens));
    if (!opens) return;
    const selfId = this.#client?.userId ?? null;
    this.#drawList(inOrder(this.#client?.users.values() ?? [], selfId), selfId);
    const anchor = this.#more.getBoundingClientRect();
    const width = Math.min(300, innerWidth - 16);
    const left = Math.max(8, Math.min(anchor.right - width, innerWidth - width - 8));
    this.#list.style.left = `${left}px`;
    this.#list.style.top = `${anchor.bottom + 8}px`;
  }

  /**
   * @param {User[]} users
   * @param {string | null} selfId
   */
  #drawList(users, selfId) {
    const title = /** @type {HTMLElement} */ (this.#list.querySelector('h2'));
    title.textContent = users.length === 1 ? '1 person here' : `${users.length} people here`;
    const items = users.map((user) => {
      const item = document.createElement('li');
      item.dataset.testid = 'presence-list-user';
      item.dataset.listUserId = user.user_id;
      item.dataset.status = user.status;
      item.dataset.connected = String(user.connected);
      const name = element('span', 'name', user.display_name);
      if (user.user_id === selfId) name.append(element('small', '', ' (you)'));
      item.append(avatarOf(user), name, element('span', 'word', statusWord(user)));
      return item;
    });
    /** @type {HTMLElement} */ (this.#list.querySelector('ul')).replaceChildren(...items);
  }

  // --- the name under the pointer -------------------------------------------

  /** @param {Event} event */
  #showTip(event) {
    const item = /** @type {Element} */ (event.target).closest('li');
    const user = item && this.#client?.users.get(item.dataset.userId ?? '');
    if (!item || !user) return;
    const [name, word] = /** @type {NodeListOf<HTMLElement>} */ (this.#tip.querySelectorAll('b, span'));
    name.textContent = user.display_name + (user.user_id === this.#client?.userId ? ' (you)' : '');
    word.textContent = statusWord(user);
    this.#tip.showPopover();
    const at = item.getBoundingClientRect();
    const left = at.left + at.width / 2 - this.#tip.offsetWidth / 2;
    this.#tip.style.inset = 'auto';
    this.#tip.style.left = `${Math.max(8, Math.min(left, innerWidth - this.#tip.offsetWidth - 8))}px`;
    this.#tip.style.top = `${at.bottom + 8}px`;
  }

  // --- for screen readers ---------------------------------------------------

  /** @param {UsersChange} change */
  #note({ kind, user }) {
    if ((kind !== 'joined' && kind !== 'left') || user === null) return;
    const before = this.#news.get(user.user_id);
    // A person who joined and left within a moment is not worth announcing.
    if (before && before.change !== kind) this.#news.delete(user.user_id);
    else this.#news.set(user.user_id, { name: user.display_name, change: kind });
    this.#announceTimer ||= window.setTimeout(() => this.#announce(), ANNOUNCE_AFTER_MS);
  }

  #announce() {
    this.#announceTimer = 0;
    const news = [...this.#news.values()];
    this.#news.clear();
    const names = (/** @type {string} */ change) =>
      news.filter((item) => item.change === change).map((item) => item.name);
    const text = announcement(names('joined'), names('left'));
    const region = /** @type {HTMLElement} */ (this.#root.querySelector('[aria-live]'));
    if (text) region.textContent = text;
  }
}

customElements.define('presence-bar', PresenceBar);
