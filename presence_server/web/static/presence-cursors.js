// <presence-cursors board="demo" for="canvas">: everybody's cursor over an element.

import { element, set } from './presence-avatar.js';
import { CursorView } from './presence-cursor-view.js';
import { PRESENCE_CURSORS_CSS } from './presence-cursors-style.js';
import { CLIENT_ATTRIBUTES, define, PresenceElement } from './presence-element.js';
import { presenceOf } from './presence-people.js';
import { styleSheet } from './presence-sheet.js';
import { hiddenOf, round, Space } from './presence-space.js';
import { tell } from './presence-tell.js';

/** @typedef {import('./presence-client.js').PresenceClient} PresenceClient */
/** @typedef {import('./presence-replica.js').User} User */

const OWN_ATTRIBUTES = ['for', 'space', 'scrollable', 'chat-key'];
const WRITES = 'input, textarea, select, [contenteditable]';

/**
 * Beside the attributes of {@link PresenceElement}: `for`, the id of the element that the
 * cursors are in, by default the parent; `space`, its name for everybody, by default the
 * same; `scrollable`, with which a place is a fraction of all that can be scrolled to;
 * `chat-key`, the key that opens a field at one's own cursor, `/` by default.
 */
export class PresenceCursors extends PresenceElement {
  /** @override */
  static observedAttributes = [...CLIENT_ATTRIBUTES, ...OWN_ATTRIBUTES];

  #root = this.attachShadow({ mode: 'open' });
  /** @type {Map<string, CursorView>} */
  #views = new Map();
  #layer = element('div', 'cursors', '');
  /** @type {Element | null} */
  #target = null;
  /** The name of the space when it was bound. */
  #name = '';
  /** @type {Space | null} */
  #space = null;
  /** @type {AbortController | null} */
  #listening = null;
  #schedule = () => void (this.#frame ||= requestAnimationFrame((now) => this.#draw(now)));
  #size = new ResizeObserver(this.#schedule);
  /** Outside of these it is not seen. @type {Element[]} */
  #clips = [];
  /** A page may move and scale the element. */
  #moves = new MutationObserver(this.#schedule);
  #frame = 0;
  #lastFrame = 0;
  #box = '';
  /** Where this element was put, its width, and how much it was enlarged; the style sheet does it at first. */
  #put = [0, 0, 9, 1];
  /** One's own cursor in this element. @type {[number, number] | null} */
  #place = null;
  /** Chat, following and what belongs to them. @type {import('./presence-company.js').Company | null} */
  #company = null;
  #stillness = globalThis.matchMedia?.('(prefers-reduced-motion: reduce)');

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [styleSheet(PRESENCE_CURSORS_CSS)];
    set(this.#layer, { 'aria-hidden': 'true' }); // The bar says to readers of screens who is there.
    this.#root.append(this.#layer);
  }

  /** @override */
  connectedCallback() {
    super.connectedCallback();
    this.#bind();
  }

  /** @override */
  disconnectedCallback() {
    this.#unbind();
    super.disconnectedCallback();
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  /**
   * @param {PresenceClient | null} client
   * @param {AbortSignal | null} signal
   * @override
   */
  watch(client, signal) {
    this.#place = null;
    this.#endCompany();
    if (client && signal) {
      client.addEventListener('cursors', this.#schedule, { signal });
      client.addEventListener('users', ({ detail: { user } }) => {
        this.#schedule();
        this.#notice(user ? [user] : client.users.values());
      }, { signal });
      // The bar asks who can follow people.
      /** @type {EventTarget} */ (client).addEventListener('guide', (event) => {
        /** @type {CustomEvent} */ (event).detail.guide ??= this;
      }, { signal });
      this.#notice(client.users.values());
    }
    this.#schedule();
  }

  /** An attribute, or the client. @override */
  changed() {
    if (this.isConnected) this.#bind();
    this.#schedule();
  }

  // --- the element that the cursors are in --------------------------------------

  #bind() {
    const id = this.getAttribute('for');
    const root = /** @type {Document | ShadowRoot} */ (this.getRootNode());
    const target = id ? root.getElementById(id) : this.parentElement;
    const scrolls = this.hasAttribute('scrollable');
    // The name by which everybody knows that element.
    const name = this.getAttribute('space') ?? id ?? 'page';
    if (target && target === this.#target && scrolls === this.#space?.scrolls && name === this.#name) return;
    this.#unbind();
    this.#target = target;
    this.#name = name;
    if (!target) return;
    this.#space = new Space(target, scrolls);
    this.#listening = new AbortController();
    const options = { signal: this.#listening.signal, passive: true };
    for (const type of ['pointermove', 'pointerdown']) {
      target.addEventListener(type, (event) => this.#point(/** @type {PointerEvent} */ (event)), options);
    }
    target.addEventListener('pointerleave', (event) => {
      // A finger that was lifted still points where it was.
      if (/** @type {PointerEvent} */ (event).pointerType === 'mouse' && !this.#company?.isChatting) this.#pointNowhere();
    }, options);
    window.addEventListener('keydown', (event) => this.#key(event), { signal: this.#listening.signal });
    for (const type of ['scroll', 'resize', 'transitionrun', 'transitionend']) {
      window.addEventListener(type, this.#schedule, { ...options, capture: true });
    }
    this.#size.observe(target);
    this.#clips = [];
    for (let each = /** @type {Element | null} */ (target); each; each = each.parentElement) {
      this.#moves.observe(each, { attributeFilter: ['class', 'style'] });
      if (each !== target && each !== document.body && getComputedStyle(each).overflow !== 'visible') this.#clips.push(each);
    }
    this.#schedule();
  }

  #unbind() {
    this.#endCompany();
    this.#pointNowhere();
    this.#listening?.abort();
    this.#listening = null;
    this.#size.disconnect();
    this.#moves.disconnect();
    this.#space = null;
  }

  /** @param {{clientX: number, clientY: number}} event */
  #point({ clientX, clientY }) {
    const place = this.#space?.fractions(clientX, clientY);
    if (!place || !this.client || !tell(this.client, { space: this.#name })) return;
    this.#place = place;
    this.#company?.point(place);
    this.client.moveCursor(...place);
  }

  #pointNowhere() {
    if (this.#place) this.client?.moveCursor(null);
    this.#place = null;
  }

  // --- drawing --------------------------------------------------------------------

  /** @param {number} now */
  #draw(now) {
    this.#frame = 0;
    if (!this.#target?.isConnected) this.#bind(); // It may come later than this element.
    const space = this.#space;
    const shown = new Map(space ? this.#users().map((user) => [user.user_id, user]) : []);
    for (const [userId, view] of this.#views) {
      if (shown.has(userId)) continue;
      view.remove();
      this.#views.delete(userId);
    }
    if (!space) return;
    const measured = space.measure();
    this.#cover(measured);
    const seconds = (now - this.#lastFrame) / 1000;
    this.#lastFrame = now;
    let isStill = true;
    for (const user of shown.values()) {
      const view = this.#viewOf(user);
      view.show(user, this.#stillness?.matches ?? false);
      this.#company?.say(view, user);
      isStill = view.draw(seconds, measured) && isStill;
    }
    if (!isStill) this.#schedule();
  }

  /** Those who point at something in this element. @returns {User[]} */
  #users() {
    const { client } = this;
    const name = this.#name;
    return [...(client?.users.values() ?? [])].filter((user) => {
      return user.user_id !== client?.userId && user.cursor !== null && presenceOf(user).space === name;
    });
  }

  /** @param {User} user */
  #viewOf(user) {
    let view = this.#views.get(user.user_id);
    if (!view) {
      view = new CursorView(user);
      this.#views.set(user.user_id, view);
      this.#layer.append(view.element);
    }
    return view;
  }

  /**
   * Lie over the space. The page may have moved or scaled what this element is in.
   *
   * @param {import('./presence-space.js').Measured} measured
   */
  #cover(measured) {
    const { left, top, width, height } = measured;
    const own = this.getBoundingClientRect();
    const [x, y, before, enlarged] = this.#put;
    const scale = own.width / before / enlarged || 1 / enlarged; // of what this element is in
    const put = [x + (left - own.left) / scale, y + (top - own.top) / scale, width, 1 / scale].map(round);
    const hidden = hiddenOf(measured, this.#clips);
    const text = `${put} ${height} ${hidden}`;
    if (text === this.#box) return;
    this.#box = text;
    this.#put = put;
    const transform = `translate(${put[0]}px, ${put[1]}px) scale(${put[3]})`;
    const clipPath = `inset(${hidden.join('px ')}px)`;
    Object.assign(this.style, { width: `${width}px`, height: `${height}px`, transform, clipPath });
    this.#company?.cover();
    this.#schedule(); // It may go on moving.
  }

  // --- what is loaded when it is needed ---------------------------------------------

  /** Whose view is shown. @returns {string | null} */
  get following() {
    return this.#company?.following ?? null;
  }

  /** Whether everybody is asked to come. @returns {boolean} */
  get summoning() {
    return this.#company?.summoning ?? false;
  }

  /**
   * See what somebody sees: their view leads, until this user scrolls or presses Escape.
   *
   * @param {string | null} userId  null: nobody any more
   */
  async follow(userId) {
    (await this.#accompany())?.follow(userId);
  }

  /**
   * Ask everybody to come to what is seen here. They see an offer, and decide.
   *
   * @param {boolean} [on]  false: not any more
   */
  async summon(on = true) {
    (await this.#accompany())?.summon(on);
  }

  /** Open a field at one's own cursor, or in the middle where there is no pointer. */
  async chat() {
    (await this.#accompany())?.chat();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const isOther = event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey;
    if (isOther || event.key !== (this.getAttribute('chat-key') ?? '/') || !this.#place) return;
    if (/** @type {Element} */ (event.composedPath()[0]).closest?.(WRITES)) return;
    event.preventDefault();
    this.chat();
  }

  /** @param {Iterable<User>} users  of whom one may say something to this element */
  #notice(users) {
    if (this.#company) return;
    for (const user of users) {
      const { chat, following, summon } = presenceOf(user);
      // What one's own user says may be left from before a reload.
      const isOurs = [following, user.user_id].includes(this.client?.userId ?? null);
      if (chat !== undefined || summon !== undefined || (isOurs && following)) return void this.#accompany();
    }
  }

  async #accompany() {
    const { Company } = await import('./presence-company.js');
    const [client, space, target] = [this.client, this.#space, this.#target];
    if (!client || !space || !target) return null;
    this.#company ??= new Company(this.#root, {
      host: this, client, space, target, name: this.#name, clips: this.#clips,
      cursor: () => this.#place,
      point: (clientX, clientY) => this.#point({ clientX, clientY }),
      pointNowhere: () => this.#pointNowhere(),
    });
    this.#schedule();
    return this.#company;
  }

  #endCompany() {
    const company = this.#company;
    this.#company = null;
    company?.end();
  }
}

define('presence-cursors', PresenceCursors);
