// Places in an element as fractions of its size, so that people with windows of
// other sizes point at the same thing.

/** Digits that are enough for a screen of any size. */
const PRECISION = 1e5;

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

  /** What is seen of it, in pixels of the window. @returns {{left: number, top: number, width: number, height: number}} */
  get box() {
    const { left, top, width, height } = this.#element.getBoundingClientRect();
    if (!this.scrolls) return { left, top, width, height };
    const { clientLeft, clientTop, clientWidth, clientHeight } = this.#element;
    return { left: left + clientLeft, top: top + clientTop, width: clientWidth, height: clientHeight };
  }

  /**
   * @param {number} x  in pixels of the window
   * @param {number} y
   * @returns {[number, number] | null} null outside
   */
  fractions(x, y) {
    const { left, top, width, height } = this.box;
    const [acrossPx, downPx] = [x - left, y - top];
    if (acrossPx < 0 || downPx < 0 || acrossPx > width || downPx > height || !width || !height) return null;
    const [fullWidth, fullHeight] = this.#size;
    const { scrollLeft, scrollTop } = this.scrolls ? this.#element : { scrollLeft: 0, scrollTop: 0 };
    return [round((acrossPx + scrollLeft) / fullWidth), round((downPx + scrollTop) / fullHeight)];
  }

  /**
   * @param {number} across  a fraction
   * @param {number} down
   * @returns {[number, number]} in pixels from the corner of the box
   */
  pixels(across, down) {
    const [width, height] = this.#size;
    const { scrollLeft, scrollTop } = this.scrolls ? this.#element : { scrollLeft: 0, scrollTop: 0 };
    return [across * width - scrollLeft, down * height - scrollTop];
  }

  /** @returns {[number, number]} */
  get #size() {
    if (this.scrolls) return [this.#element.scrollWidth, this.#element.scrollHeight];
    const { width, height } = this.#element.getBoundingClientRect();
    return [width, height];
  }
}

/** @param {number} value */
function round(value) {
  return Math.round(value * PRECISION) / PRECISION;
}
