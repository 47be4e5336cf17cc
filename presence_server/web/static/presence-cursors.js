// <presence-cursors board="demo" for="canvas">: everybody's cursor over an element.

import { CursorView } from './presence-cursor-view.js';
import { PRESENCE_CURSORS_CSS } from './presence-cursors-style.js';
import { CLIENT_ATTRIBUTES, define, PresenceElement } from './presence-element.js';
import { styleSheet } from './presence-sheet.js';
import { Space } from './presence-space.js';

/** @typedef {import('./presence-client.js').PresenceClient} PresenceClient */
/** @typedef {import('./presence-replica.js').User} User */

const OWN_ATTRIBUTES = ['for', 'space', 'scrollable'];

/**
 * Beside the attributes of {@link PresenceElement}: `for`, the id of the element that the
 * cursors are in, by default the parent; `space`, its name for everybody, by default the
 * same; `scrollable`, with which a place is a fraction of all that can be scrolled to.
 */
export class PresenceCursors extends PresenceElement {
  /** @override */
  static observedAttributes = [...CLIENT_ATTRIBUTES, ...OWN_ATTRIBUTES];

  #root = this.attachShadow({ mode: 'open' });
  /** @type {Map<string, CursorView>} */
  #views = new Map();
  /** @type {Element | null} */
  #target = null;
  /** @type {Space | null} */
  #space = null;
  /** @type {AbortController | null} */
  #listening = null;
  #size = new ResizeObserver(() => this.#schedule());
  #frame = 0;
  #lastFrame = 0;
  #box = '';
  /** Whether one's own cursor is in this element. */
  #points = false;
  #stillness = globalThis.matchMedia?.('(prefers-reduced-motion: reduce)');

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [styleSheet(PRESENCE_CURSORS_CSS)];
  }

  /** @override */
  connectedCallback() {
    this.setAttribute('aria-hidden', 'true'); // The bar says to readers of screens who is there.
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
    this.#points = false;
    for (const type of /** @type {const} */ (['users', 'cursors'])) {
      if (signal) client?.addEventListener(type, () => this.#schedule(), { signal });
    }
    this.#schedule();
  }

  /** An attribute, or the client. @override */
  changed() {
    if (this.isConnected) this.#bind();
    this.#schedule();
  }

  // --- the element that the cursors are in --------------------------------------

  /** The name by which everybody knows that element. */
  get #name() {
    return this.getAttribute('space') ?? this.getAttribute('for') ?? 'page';
  }

  #bind() {
    const id = this.getAttribute('for');
    const root = /** @type {Document | ShadowRoot} */ (this.getRootNode());
    const target = id ? root.getElementById(id) : this.parentElement;
    const scrolls = this.hasAttribute('scrollable');
    if (target && target === this.#target && scrolls === this.#space?.scrolls) return;
    this.#unbind();
    this.#target = target;
    if (!target) return;
    this.#space = new Space(target, scrolls);
    this.#listening = new AbortController();
    const options = { signal: this.#listening.signal, passive: true };
    for (const type of ['pointermove', 'pointerdown']) {
      target.addEventListener(type, (event) => this.#point(/** @type {PointerEvent} */ (event)), options);
    }
    target.addEventListener('pointerleave', (event) => {
      // A finger that was lifted still points where it was.
      if (/** @type {PointerEvent} */ (event).pointerType === 'mouse') this.#pointNowhere();
    }, options);
    window.addEventListener('scroll', () => this.#schedule(), { ...options, capture: true });
    window.addEventListener('resize', () => this.#schedule(), options);
    this.#size.observe(target);
    this.#schedule();
  }

  #unbind() {
    this.#pointNowhere();
    this.#listening?.abort();
    this.#listening = null;
    this.#size.disconnect();
    this.#space = null;
  }

  /** @param {PointerEvent} event */
  #point({ clientX, clientY }) {
    const place = this.#space?.fractions(clientX, clientY);
    if (!place || !this.client) return;
    try {
      this.client.setPresence({ space: this.#name });
    } catch (error) {
      return console.warn(`presence-cursors: no room for a cursor beside the metadata: ${error}`);
    }
    this.#points = true;
    this.client.moveCursor(...place);
  }

  #pointNowhere() {
    if (this.#points) this.client?.moveCursor(null);
    this.#points = false;
  }

  // --- drawing --------------------------------------------------------------------

  #schedule() {
    this.#frame ||= requestAnimationFrame((now) => this.#draw(now));
  }

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
    const { box } = space;
    this.#cover(box);
    const seconds = (now - this.#lastFrame) / 1000;
    this.#lastFrame = now;
    let isStill = true;
    for (const user of shown.values()) {
      const view = this.#viewOf(user);
      view.show(user, this.#stillness?.matches ?? false);
      isStill = view.draw(seconds, space, box) && isStill;
    }
    if (!isStill) this.#schedule();
  }

  /** Those who point at something in this element. @returns {User[]} */
  #users() {
    const { client } = this;
    const name = this.#name;
    return [...(client?.users.values() ?? [])].filter((user) => {
      const { presence } = /** @type {{presence?: {space?: unknown}}} */ (user.metadata ?? {});
      return user.user_id !== client?.userId && user.cursor !== null && presence?.space === name;
    });
  }

  /** @param {User} user */
  #viewOf(user) {
    let view = this.#views.get(user.user_id);
    if (!view) {
      view = new CursorView(user);
      this.#views.set(user.user_id, view);
      this.#root.append(view.element);
    }
    return view;
  }

  /** @param {{left: number, top: number, width: number, height: number}} box */
  #cover({ left, top, width, height }) {
    const text = [left, top, width, height].join();
    if (text === this.#box) return;
    this.#box = text;
    Object.assign(this.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
  }
}

define('presence-cursors', PresenceCursors);
