// Seeing what somebody else sees: their view leads, until one scrolls or presses Escape.

import { element, set, setText } from './presence-avatar.js';
import { presenceOf, safeColor, textOn } from './presence-people.js';
import { tell } from './presence-tell.js';

/** @typedef {import('./presence-company.js').Place} Place */

/** Keys that scroll. */
const KEYS = new Set(['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight', 'PageUp', 'PageDown', 'Home', 'End', ' ']);

/** Follows one person at a time. */
export class Follower {
  /** Who leads. @type {string | null} */
  userId = null;
  #root;
  #place;
  #viewport;
  #changed;
  #frame = element('div', 'frame', '');
  #label = element('span', '', '');
  #stop = /** @type {HTMLButtonElement} */ (element('button', '', '×'));
  /** @type {AbortController | null} */
  #listening = null;
  #drawing = 0;
  #lastFrame = 0;
  #aim = '';
  /** Whether the leader followed this user when it began. */
  #wasMutual = false;
  #pressed = false;

  /**
   * @param {HTMLElement} root
   * @param {Place} place
   * @param {import('./presence-viewport.js').Viewport} viewport
   * @param {() => void} changed
   */
  constructor(root, place, viewport, changed) {
    this.#root = root;
    this.#place = place;
    this.#viewport = viewport;
    this.#changed = changed;
    const bar = element('div', 'led', '');
    set(this.#frame, { part: 'frame', 'data-testid': 'presence-following' });
    set(bar, { role: 'status', dir: 'auto' });
    set(this.#stop, { type: 'button' });
    bar.append(this.#label, this.#stop);
    this.#frame.append(bar);
    this.#stop.addEventListener('click', () => this.stop());
  }

  /** @param {string} userId */
  follow(userId) {
    const { client } = this.#place;
    const user = client.users.get(userId);
    if (client.state !== 'joined' || !user || userId === client.userId || userId === this.userId) return;
    if (!tell(client, { following: userId })) return;
    this.userId = userId;
    this.#aim = '';
    this.#wasMutual = presenceOf(user).following === client.userId;
    this.#root.append(this.#frame);
    this.#viewport.start();
    this.#listen();
    this.#changed();
  }

  stop() {
    if (this.userId === null) return;
    this.userId = null;
    this.#listening?.abort();
    cancelAnimationFrame(this.#drawing);
    this.#drawing = 0;
    this.#frame.remove();
    tell(this.#place.client, { following: undefined });
    this.#changed();
  }

  /** Somebody has changed. */
  update() {
    if (this.userId === null) return;
    const { client, name, host } = this.#place;
    const { words } = host;
    const user = client.users.get(this.userId);
    if (!user || client.state !== 'joined') return this.stop();
    const { following, viewport } = presenceOf(user);
    const isMutual = following === client.userId;
    // Two who follow each other would go nowhere: the one who was there first gives way.
    if (isMutual && !this.#wasMutual) return this.stop();
    this.#wasMutual = isMutual;
    const color = safeColor(user.color);
    this.#frame.style.setProperty('--color', color);
    this.#frame.style.setProperty('--on-color', textOn(color));
    setText(this.#label, words.say('following', { name: user.display_name }));
    set(this.#stop, { 'aria-label': words.say('stopFollowing') });
    set(this.#frame, { lang: words.lang });
    const { space, x, y } = /** @type {Record<string, unknown>} */ (viewport ?? {});
    if (space !== name || !isFraction(x) || !isFraction(y)) return;
    const aim = `${x} ${y}`;
    if (aim === this.#aim) return;
    this.#aim = aim;
    this.#viewport.aim(x, y, matchMedia('(prefers-reduced-motion: reduce)').matches);
    this.#lastFrame ||= performance.now();
    this.#drawing ||= requestAnimationFrame((now) => this.#draw(now));
  }

  /** @param {number} now */
  #draw(now) {
    this.#drawing = 0;
    const isThere = this.#viewport.step(Math.max(0, now - this.#lastFrame) / 1000);
    this.#lastFrame = isThere ? 0 : now;
    if (!isThere) this.#drawing = requestAnimationFrame((next) => this.#draw(next));
  }

  /** What ends it. */
  #listen() {
    this.#listening?.abort();
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    const passive = { signal, passive: true, capture: true };
    const stop = () => this.stop();
    this.#viewport.source.addEventListener('wheel', stop, passive);
    this.#viewport.source.addEventListener('touchmove', stop, passive);
    // A scroll bar is dragged while the pointer is pressed; other scrolling comes from here, or from the layout.
    window.addEventListener('pointerdown', () => (this.#pressed = true), passive);
    window.addEventListener('pointerup', () => (this.#pressed = false), passive);
    this.#viewport.source.addEventListener('scroll', () => {
      if (this.#pressed && this.#viewport.hasMoved) this.stop();
    }, passive);
    window.addEventListener('keydown', (event) => {
      const [target] = event.composedPath();
      if (event.defaultPrevented || isWriting(target)) return;
      if (event.key === 'Escape' || (KEYS.has(event.key) && !isButton(target))) this.stop();
    }, { signal });
  }
}

/**
 * @param {unknown} value
 * @returns {value is number}
 */
function isFraction(value) {
  return typeof value === 'number' && Number.isFinite(value) && Math.abs(value) < 1e3;
}

/** @param {EventTarget} target */
function isWriting(target) {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches('input, textarea, select'));
}

/** @param {EventTarget} target */
function isButton(target) {
  return target instanceof Element && target.matches('button, a, select, [role=button], [role=option]');
}
