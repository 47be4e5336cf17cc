// <presence-bar board="demo">: who is on the board, as a row of avatars.

import { element, set, setText } from './presence-avatar.js';
import { PRESENCE_BAR_CSS } from './presence-bar-style.js';
import { CLIENT_ATTRIBUTES, define, PresenceElement } from './presence-element.js';
import { News } from './presence-news.js';
import { Order } from './presence-order.js';
import { saysMore } from './presence-people.js';
import { PeopleRow } from './presence-row.js';
import { styleSheet } from './presence-sheet.js';

/** @typedef {import('./presence-client.js').PresenceClient} PresenceClient */
/** @typedef {import('./presence-people.js').Person} Person */
/** @typedef {import('./presence-people.js').Shown} Shown */
/** @typedef {import('./presence-panels.js').Panels} Panels */
/** @typedef {import('./presence-recent.js').Recent} Recent */

const OWN_ATTRIBUTES = ['max', 'align', 'size', 'overlap', 'announce', 'keep-left', 'avatars'];
/** What is said in the place of people. */
const NOTES = ['queued', 'full', 'closed', 'reconnecting'];

/**
 * Beside the attributes of {@link PresenceElement}: `max` avatars at most, `align`
 * (`start`, `center`, `end`), `size` of an avatar and their `overlap` in pixels,
 * `announce` of who comes and goes (`names`, `brief`, `off`), `keep-left`, for how many
 * seconds those who left are shown, `avatars` (`on`, `same-origin`, `off`).
 */
export class PresenceBar extends PresenceElement {
  /** @override */
  static observedAttributes = [...CLIENT_ATTRIBUTES, ...OWN_ATTRIBUTES];

  #frame = 0;
  #box = [0, 0];
  #room = new ResizeObserver(() => this.#resized());
  #root = this.attachShadow({ mode: 'open' });
  #row = new PeopleRow();
  #news;
  #order = new Order(() => this.changed(), () => this.#isLookedAt());
  /** Each status, and when it was first seen. @type {Map<string, {key: string, at: number | null}>} */
  #statuses = new Map();
  /** @type {Shown['badges']} */
  #badges = null;
  /** @type {Promise<void> | null} */
  #loadingBadges = null;
  /** @type {Recent | null} */
  #recent = null;
  /** @type {Panels | null} */
  #panels = null;
  /** @type {Promise<Panels> | null} */
  #loading = null;

  constructor() {
    super();
    const region = element('div', 'quiet', '');
    const { bar, people, more, note, sizer } = this.#row;
    set(bar, { part: 'bar', 'data-testid': 'presence-bar' });
    set(people, { part: 'people', role: 'list' });
    set(note, { part: 'note', dir: 'auto' });
    set(more, {
      part: 'more', type: 'button', 'aria-haspopup': 'dialog', 'aria-expanded': 'false',
      'data-testid': 'presence-overflow',
    });
    set(region, { 'aria-live': 'polite', 'data-testid': 'presence-announcer' });
    set(sizer, { 'aria-hidden': 'true' });
    this.#root.adoptedStyleSheets = [styleSheet(PRESENCE_BAR_CSS)];
    this.#root.append(sizer, bar, region);
    this.#news = new News(region, () => this.getAttribute('announce'), () => this.words);
    // The list, the cards and the names under the pointer are loaded when somebody comes near.
    for (const type of ['pointerenter', 'focusin']) bar.addEventListener(type, () => this.#load());
    people.addEventListener('pointerover', (event) => this.#point(event));
    people.addEventListener('pointerout', () => this.#panels?.tip.hide());
    people.addEventListener('click', (event) => this.#open(event));
    more.addEventListener('click', async () => {
      if (!this.#panels) (await this.#load())?.list.open();
    });
  }

  /** @override */
  connectedCallback() {
    super.connectedCallback();
    this.#room.observe(this);
  }

  /** @override */
  disconnectedCallback() {
    super.disconnectedCallback();
    this.#room.disconnect();
    this.#order.stop();
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  /**
   * @param {PresenceClient | null} client
   * @param {AbortSignal | null} signal
   * @override
   */
  watch(client, signal) {
    this.#news.detach();
    this.#statuses.clear();
    this.#recent?.stop();
    if (client === null || signal === null) return;
    this.#news.attach(client);
    client.addEventListener('users', (event) => {
      const { detail } = /** @type {CustomEvent} */ (event);
      this.#news.note(detail);
      if (detail.kind === 'left') this.#left(detail.user, client);
      this.changed();
    }, { signal });
    client.addEventListener('state', () => this.changed(), { signal });
  }

  /** However many events come, draw once a frame. @override */
  changed() {
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  /** Draw before the browser paints the new size. */
  #resized() {
    const box = [this.clientWidth, this.clientHeight];
    if (String(box) === String(this.#box)) return;
    this.#box = box;
    this.#row.measureAgain();
    this.#draw();
  }

  /** @returns {Shown} */
  #shown() {
    const { client, words } = this;
    const selfId = client?.userId ?? null;
    const here = client?.users ?? new Map();
    const now = client?.serverTime ?? 0;
    const gone = this.#recent?.people(here, now, 1000 * (this.#number('keep-left') ?? 0), words) ?? [];
    const users = this.#order.sort([...here.values(), ...gone], selfId);
    const since = (/** @type {Person} */ user) => this.#statuses.get(user.user_id)?.at ?? null;
    const avatars = this.getAttribute('avatars') ?? 'on';
    return { users, count: here.size, selfId, avatars, words, badges: this.#badges, now, since };
  }

  #draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const shown = this.#shown();
    this.#noteStatuses(shown);
    if (!this.#badges && shown.users.some(saysMore)) this.#loadBadges();
    const { client, words } = this;
    const state = client?.state ?? '';
    const isStale = state === 'reconnecting' || client?.status?.offline === true;
    set(this, { 'data-count': String(shown.count) });
    this.toggleAttribute('data-stale', isStale);
    const isWatching = client?.status?.watching === true;
    this.toggleAttribute('data-watching', isWatching);
    this.#news.connection(isStale);
    const { bar, people, note } = this.#row;
    set(bar, { lang: words.lang });
    set(people, { 'aria-label': words.say(isWatching ? 'watching' : 'people') });
    setText(note, shown.count === 0 && NOTES.includes(state) ? words.say(state) : '');
    this.#row.draw(shown, this.#layout(), () => this.clientWidth);
    this.#panels?.draw(shown);
  }

  /** @param {Shown} shown */
  #noteStatuses({ users, now }) {
    const before = this.#statuses;
    this.#statuses = new Map();
    for (const user of users) {
      const key = `${user.status} ${user.connected}`;
      const known = before.get(user.user_id);
      const at = known ? now : null;
      this.#statuses.set(user.user_id, known?.key === key ? known : { key, at });
    }
  }

  #loadBadges() {
    this.#loadingBadges ??= import('./presence-badges.js').then((badges) => {
      this.#badges = badges;
      this.#root.adoptedStyleSheets = [...this.#root.adoptedStyleSheets, styleSheet(badges.PRESENCE_BADGES_CSS)];
      this.changed();
    }).catch(() => void (this.#loadingBadges = null)); // The next change loads it again.
  }

  /**
   * @param {Person} user
   * @param {PresenceClient} client
   */
  async #left(user, client) {
    const at = client.serverTime;
    if (!this.#number('keep-left') || user.user_id === client.userId) return;
    const { Recent } = await import('./presence-recent.js');
    this.#recent ??= new Recent(() => this.changed());
    if (client === this.client) this.#recent.left(user, at);
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

  // --- what opens -------------------------------------------------------------

  /** @returns {Promise<Panels | undefined>} undefined: it could not be loaded */
  async #load() {
    try {
      this.#loading ??= import('./presence-panels.js').then(({ Panels }) => new Panels(this.#root, this.#row.more, {
        shown: () => this.#shown(),
        client: () => this.client,
        select: (user) => this.#select(user),
      }));
      this.#panels = await this.#loading;
      return this.#panels;
    } catch (error) {
      this.#loading = null;
      return void console.warn(`presence-bar: ${error}`);
    }
  }

  #isLookedAt() {
    return this.#row.bar.matches(':hover, :focus-within') || this.#panels?.isOpen === true;
  }

  /** @param {Event} event  on an avatar */
  #item({ target }) {
    const item = /** @type {HTMLElement | null} */ (/** @type {Element} */ (target).closest('li'));
    return { item, userId: item?.dataset.userId ?? '' };
  }

  /** @param {Event} event */
  async #point(event) {
    const { item, userId } = this.#item(event);
    if (item) (await this.#load())?.point(userId, item);
  }

  /** @param {Event} event */
  async #open(event) {
    const { item, userId } = this.#item(event);
    if (item) (await this.#load())?.choose(userId, /** @type {HTMLElement} */ (item.firstElementChild));
  }

  /**
   * @param {Person} user
   * @returns {boolean} false when the page opens something of its own
   */
  #select(user) {
    const init = { detail: { user }, bubbles: true, composed: true, cancelable: true };
    return this.dispatchEvent(new CustomEvent('presence-select', init));
  }
}

define('presence-bar', PresenceBar);
