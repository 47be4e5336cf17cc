// Keeps a popover beside a button and inside the window, while the page scrolls
// and changes its size. Browsers with CSS anchor positioning do it by the style
// sheet; for the others it is done here. The focus comes back to the button.

import { scaleOf } from './presence-space.js';

const MARGIN_PX = 8;

/**
 * Give the focus back from a popover that has closed, unless it went elsewhere meanwhile.
 *
 * @param {HTMLElement} panel
 * @param {HTMLElement | null} button
 */
export function giveBack(panel, button) {
  const { activeElement } = /** @type {ShadowRoot} */ (panel.getRootNode());
  if (!activeElement || panel.contains(activeElement)) button?.focus();
}

/** Places a popover between start() and stop(). */
export class Placement {
  #panel;
  /** @type {Element | null} */
  #button = null;
  #frame = 0;
  /** @type {AbortController | null} */
  #listening = null;

  /** @param {HTMLElement} panel  of which the style sheet says the highest height */
  constructor(panel) {
    this.#panel = panel;
  }

  /** @param {Element} button */
  start(button) {
    if (CSS.supports('position-area: block-end')) return;
    this.stop();
    this.#button = button;
    this.#listening = new AbortController();
    const options = { capture: true, passive: true, signal: this.#listening.signal };
    const later = () => (this.#frame ||= requestAnimationFrame(() => this.#place()));
    window.addEventListener('scroll', later, options);
    window.addEventListener('resize', later, options);
    this.#place();
  }

  stop() {
    this.#listening?.abort();
    this.#listening = null;
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  #place() {
    this.#frame = 0;
    if (!this.#button) return;
    const { style } = this.#panel;
    const { top, bottom, left, right } = this.#button.getBoundingClientRect();
    const above = top - 2 * MARGIN_PX;
    const below = innerHeight - bottom - 2 * MARGIN_PX;
    const isBelow = below >= above;
    // In a page that zooms, one pixel of the style sheet is several of the window.
    const zoom = scaleOf(this.#panel, this.#panel.getBoundingClientRect().width);
    const put = (/** @type {string} */ name, /** @type {number} */ pixels) => style.setProperty(name, `${pixels / zoom}px`);
    put('--room', Math.max(0, isBelow ? below : above));
    const width = this.#panel.offsetWidth * zoom;
    const isRtl = getComputedStyle(this.#panel).direction === 'rtl';
    const wanted = isRtl ? left : right - width;
    put('left', Math.max(MARGIN_PX, Math.min(wanted, innerWidth - width - MARGIN_PX)));
    style.top = style.bottom = 'auto';
    put(isBelow ? 'top' : 'bottom', (isBelow ? bottom : innerHeight - top) + MARGIN_PX);
  }
}
