// Moves a point as a critically damped spring does: soon there, and never past it.

/** The higher, the faster: 99 % of the way in about 6.6 / STIFFNESS seconds. */
const STIFFNESS = 32;
const SETTLED = 1e-4;
/** A longer pause was no frame: the page was hidden. */
const LONGEST_S = 0.064;

/** A point that follows another one. */
export class Spring {
  /** @type {number} */
  x;
  /** @type {number} */
  y;
  /** @type {number} */
  #toX;
  /** @type {number} */
  #toY;
  #speedX = 0;
  #speedY = 0;

  /**
   * @param {number} x
   * @param {number} y
   */
  constructor(x, y) {
    [this.x, this.y, this.#toX, this.#toY] = [x, y, x, y];
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {boolean} jump  be there at once
   */
  aim(x, y, jump) {
    [this.#toX, this.#toY] = [x, y];
    if (jump) [this.x, this.y, this.#speedX, this.#speedY] = [x, y, 0, 0];
  }

  /**
   * @param {number} seconds  since the last step
   * @returns {boolean} whether it is there
   */
  step(seconds) {
    const time = Math.min(seconds, LONGEST_S);
    [this.x, this.#speedX] = advance(this.x, this.#toX, this.#speedX, time);
    [this.y, this.#speedY] = advance(this.y, this.#toY, this.#speedY, time);
    const isThere = Math.hypot(this.x - this.#toX, this.y - this.#toY) < SETTLED && Math.hypot(this.#speedX, this.#speedY) < SETTLED;
    if (isThere) this.aim(this.#toX, this.#toY, true);
    return isThere;
  }
}

/**
 * The exact solution, so that it does not depend on the rate of frames.
 *
 * @param {number} at
 * @param {number} to
 * @param {number} speed
 * @param {number} time
 * @returns {[number, number]} place and speed afterwards
 */
function advance(at, to, speed, time) {
  const away = at - to;
  const push = speed + STIFFNESS * away;
  const fade = Math.exp(-STIFFNESS * time);
  return [to + (away + push * time) * fade, (speed - STIFFNESS * push * time) * fade];
}
