// <presence-bar board="demo">: who is on the board, as a row of avatars.

import { element, set } from './presence-avatar.js';
import { PRESENCE_BAR_CSS } from './presence-bar-style.js';
import { CLIENT_ATTRIBUTES, define, PresenceElement } from './presence-element.js';
import { PeopleList } from './presence-list.js';
import { News } from './presence-news.js';
import { inOrder } from './presence-people.js';
import { PeopleRow } from './presence-row.js';
import { styleSheet } from './presence-sheet.js';
import { Tip } from './presence-tip.js';

/** @typedef {import('./presence-client.js').PresenceClient} PresenceClient */

const OWN_ATTRIBUTES = ['max', 'align', 'size', 'overlap', 'announce'];

/**
 * Beside the attributes of {@link PresenceElement}: `max` avatars at most, `align`
 * (`start`, `center`, `end`), `size` of an avatar and their `overlap` in pixels,
 * `announce` of who comes and goes (`names`, `brief`, `off`).
 */
export class PresenceBar extends PresenceElement {
  /** @override */
  static observedAttributes = [...CLIENT_ATTRIBUTES, ...OWN_ATTRIBUTES];

  #frame = 0;
  #box = [0, 0];
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
    set(people, { part: 'people', role: 'list', 'aria-label': 'People on this board' });
    set(more, {
      part: 'more', type: 'button', 'aria-haspopup': 'dialog', 'aria-expanded': 'false',
      'data-testid': 'presence-overflow',
    });
    set(tip, { part: 'tip', popover: 'manual', 'aria-hidden': 'true' });
    set(list, {
      part: 'list', popover: 'auto', role: 'dialog', 'aria-label': 'Everyone on this board',
      'data-testid': 'presence-list',
    });
    set(region, { 'aria-live': 'polite', 'data-testid': 'presence-announcer' });
    set(sizer, { 'aria-hidden': 'true' });
    this.#root.adoptedStyleSheets = [styleSheet(PRESENCE_BAR_CSS)];
    this.#root.append(sizer, bar, tip, list, region);
    this.#list = new PeopleList(list, more);
    this.#tip = new Tip(tip);
    this.#news = new News(region, () => this.getAttribute('announce'));
    people.addEventListener('pointerover', (event) => this.#point(event));
    people.addEventListener('pointerout', () => this.#tip.hide());
    more.popoverTargetElement = list;
    list.addEventListener('beforetoggle', (event) => {
      if (/** @type {ToggleEvent} */ (event).newState === 'open') this.#list.draw(...this.#people());
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
    if (client === null || signal === null) return;
    this.#news.attach(client);
    client.addEventListener('users', (event) => {
      this.#news.note(/** @type {CustomEvent} */ (event).detail);
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

  /** @returns {[import('./presence-replica.js').User[], string | null]} */
  #people() {
    const selfId = this.client?.userId ?? null;
    return [inOrder(this.client?.users.values() ?? [], selfId), selfId];
  }

  #draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const [users, selfId] = this.#people();
    set(this, { 'data-count': String(users.length) });
    this.toggleAttribute('data-stale', this.client?.state === 'reconnecting' || this.client?.status?.offline === true);
    this.#row.draw(users, selfId, this.#layout(), () => this.clientWidth);
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

  /** @param {Event} event */
  #point(event) {
    const item = /** @type {Element} */ (event.target).closest('li');
    const user = item && this.client?.users.get(item.dataset.userId ?? '');
    if (item && user) this.#tip.show(user, user.user_id === this.client?.userId, item);
  }
}

define('presence-bar', PresenceBar);
