// Places in an element as fractions of its size, so that people with windows of
// other sizes point at the same thing.

/** Digits that are enough for a screen of any size. */
const PRECISION = 1e5;

/**
 * Where a space is at one moment, in pixels of the window.
 *
 * @typedef {object} Measured
 * @property {number} left  of what is seen of it
 * @property {number} top
 * @property {number} width
 * @property {number} height
 * @property {number} fullLeft  of all of it
 * @property {number} fullTop
 * @property {number} fullWidth
 * @property {number} fullHeight
 */

/** One element, and where its content is in the window. */
export class Space {
  #element;
  scrolls;

  /**
   * @param {Element} element
   * @param {boolean} scrolls  a fraction is one of all that can be scrolled to, not of what is seen
   */
  constructor(element, scrolls) {
    this.#element = element;
    this.scrolls = scrolls;
  }

  /** @returns {Measured} */
  measure() {
    const { left, top, width, height } = this.#element.getBoundingClientRect();
    if (!this.scrolls) return { left, top, width, height, fullLeft: left, fullTop: top, fullWidth: width, fullHeight: height };
    const element = /** @type {HTMLElement} */ (this.#element);
    const { clientLeft, clientTop, clientWidth, clientHeight, scrollLeft, scrollTop, scrollWidth, scrollHeight } = element;
    const scale = scaleOf(element, width);
    const seenLeft = left + clientLeft * scale;
    const seenTop = top + clientTop * scale;
    // From right to left, the right end is where scrolling begins.
    const before = getComputedStyle(element).direction === 'rtl' ? scrollWidth - clientWidth : 0;
    return {
      left: seenLeft, top: seenTop, width: clientWidth * scale, height: clientHeight * scale,
      fullLeft: seenLeft - (scrollLeft + before) * scale, fullTop: seenTop - scrollTop * scale,
      fullWidth: scrollWidth * scale, fullHeight: scrollHeight * scale,
    };
  }

  /**
   * @param {number} x  in pixels of the window
   * @param {number} y
   * @returns {[number, number] | null} null outside
   */
  fractions(x, y) {
    const { left, top, width, height, fullLeft, fullTop, fullWidth, fullHeight } = this.measure();
    if (x < left || y < top || x > left + width || y > top + height || !width || !height) return null;
    return [round((x - fullLeft) / fullWidth), round((y - fullTop) / fullHeight)];
  }
}

/**
 * @param {Measured} measured
 * @param {number} across  a fraction
 * @param {number} down
 * @returns {[number, number]} in pixels from the corner of what is seen
 */
export function pixels({ left, top, fullLeft, fullTop, fullWidth, fullHeight }, across, down) {
  return [fullLeft - left + across * fullWidth, fullTop - top + down * fullHeight];
}

/**
 * How much of a space is hidden by what it scrolls in.
 *
 * @param {Measured} measured
 * @param {Element[]} clips  that cut off what is outside of them
 * @returns {number[]} from the top, the right, the bottom and the left, in pixels of the window
 */
export function hiddenOf({ left, top, width, height }, clips) {
  const hidden = [0, 0, 0, 0];
  for (const clip of clips) {
    const box = clip.getBoundingClientRect();
    const sides = [box.top - top, left + width - box.right, top + height - box.bottom, box.left - left];
    sides.forEach((px, side) => (hidden[side] = Math.max(hidden[side], px)));
  }
  return hidden;
}

/**
 * How many pixels of the window one pixel of an element is: its page may draw it larger or smaller.
 *
 * @param {HTMLElement} element
 * @param {number} width  in pixels of the window
 */
export function scaleOf({ offsetWidth }, width) {
  return Math.abs(width - offsetWidth) < 1 ? 1 : width / offsetWidth || 1; // `offsetWidth` is rounded.
}

/** @param {number} value  @returns {number} as exact as it has to be */
export function round(value) {
  return Math.round(value * PRECISION) / PRECISION;
}
