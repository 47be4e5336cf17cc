// What of a space somebody sees: the middle of their window, as fractions of the space. It is
// the same place for people with windows of other sizes.

import { scaleOf } from './presence-space.js';
import { Spring } from './presence-spring.js';

/** @typedef {import('./presence-space.js').Space} Space */

const PRECISION = 1e4;
/** So far from where it was put, somebody else has scrolled. */
const TOLERANCE_PX = 3;

/** What is seen of one space, and how to scroll there. */
export class Viewport {
  #space;
  #scroller;
  #spring = new Spring(0, 0);
  /** Where it was scrolled to last. */
  #put = [0, 0];

  /**
   * @param {Space} space
   * @param {Element} element  whose space it is
   */
  constructor(space, element) {
    this.#space = space;
    this.#scroller = space.scrolls ? element : scrollerOf(element);
  }

  /** Where scrolling can be heard. @returns {EventTarget} */
  get source() {
    return this.#scroller === document.scrollingElement ? document : this.#scroller;
  }

  /** The middle of what is seen, as fractions of the space. @returns {[number, number]} */
  get middle() {
    const { fullLeft, fullTop, fullWidth, fullHeight } = this.#space.measure();
    const { x, y } = this.#center;
    return [round((x - fullLeft) / (fullWidth || 1)), round((y - fullTop) / (fullHeight || 1))];
  }

  /** Begin to scroll from where it is now. */
  start() {
    const { scrollLeft, scrollTop } = this.#scroller;
    this.#spring = new Spring(scrollLeft, scrollTop);
    this.#put = [scrollLeft, scrollTop];
  }

  /**
   * @param {number} across  fractions of the space
   * @param {number} down
   * @param {boolean} jump  be there at once
   */
  aim(across, down, jump) {
    const { fullLeft, fullTop, fullWidth, fullHeight } = this.#space.measure();
    const { x, y, scale } = this.#center;
    const { scrollLeft, scrollTop, scrollWidth, scrollHeight, clientWidth, clientHeight } = this.#scroller;
    this.#spring.aim(
      clamp(scrollLeft + (fullLeft + across * fullWidth - x) / scale, scrollWidth - clientWidth, isFromRight(this.#scroller)),
      clamp(scrollTop + (fullTop + down * fullHeight - y) / scale, scrollHeight - clientHeight, false),
      jump,
    );
  }

  /**
   * @param {number} seconds  since the last step
   * @returns {boolean} whether it is there
   */
  step(seconds) {
    const isThere = this.#spring.step(seconds);
    this.#scroller.scrollTo({ left: this.#spring.x, top: this.#spring.y, behavior: 'instant' });
    this.#put = [this.#scroller.scrollLeft, this.#scroller.scrollTop];
    return isThere;
  }

  /** Whether it was scrolled, and not by {@link step}. */
  get hasMoved() {
    const { scrollLeft, scrollTop } = this.#scroller;
    return Math.hypot(scrollLeft - this.#put[0], scrollTop - this.#put[1]) > TOLERANCE_PX;
  }

  /** The middle of what can be seen, in pixels of the window, and how many one pixel of what scrolls is. */
  get #center() {
    if (this.#scroller === document.scrollingElement) return { x: innerWidth / 2, y: innerHeight / 2, scale: 1 };
    const scroller = /** @type {HTMLElement} */ (this.#scroller);
    const { left, top, width } = scroller.getBoundingClientRect();
    const scale = scaleOf(scroller, width);
    return { x: left + (scroller.clientWidth * scale) / 2, y: top + (scroller.clientHeight * scale) / 2, scale };
  }
}

/** @param {Element} element  @returns {Element} what scrolls it */
function scrollerOf(element) {
  for (let each = element.parentElement; each && each !== document.body; each = each.parentElement) {
    const { overflowX, overflowY } = getComputedStyle(each);
    const scrolls = /auto|scroll/.test(overflowX + overflowY);
    if (scrolls && (each.scrollHeight > each.clientHeight || each.scrollWidth > each.clientWidth)) return each;
  }
  return document.scrollingElement ?? document.documentElement;
}

/** @param {Element} scroller  of a page from right to left, places are negative */
function isFromRight(scroller) {
  return getComputedStyle(scroller).direction === 'rtl';
}

/**
 * @param {number} value
 * @param {number} most
 * @param {boolean} isNegative
 */
function clamp(value, most, isNegative) {
  return isNegative ? Math.min(0, Math.max(-most, value)) : Math.max(0, Math.min(most, value));
}

/** @param {number} value */
function round(value) {
  return Math.round(value * PRECISION) / PRECISION;
}
