// How long somebody still waits, roughly and as a part of the way.

const MINUTE_S = 60;
/** Without an estimate the bar creeps, so that people see that something goes on. */
const UNKNOWN_PLACE_S = 60;
/** The way within one place that the bar creeps at most. */
const CREEP = 0.9;

/** One wait in a queue, from the entry on. Times are seconds of any clock that is never set. */
export class Wait {
  #entered;
  #position;
  /** @type {number | undefined} */
  #etaS;
  #at;

  /**
   * @param {number} position  at the entry
   * @param {number} now
   */
  constructor(position, now) {
    this.#entered = position;
    this.#position = position;
    this.#at = now;
  }

  /**
   * @param {number} position
   * @param {number | undefined} etaS
   * @param {number} now
   */
  moved(position, etaS, now) {
    // Somebody who came back was before this user all the time.
    this.#entered = Math.max(this.#entered, position);
    if (position !== this.#position || etaS !== undefined) this.#at = now;
    this.#position = position;
    this.#etaS = etaS;
  }

  /**
   * @param {number} now
   * @returns {number} from 0 at the entry to less than 1
   */
  progress(now) {
    const placeS = this.#etaS === undefined ? UNKNOWN_PLACE_S : this.#etaS / this.#position;
    const creep = CREEP * (1 - Math.exp(-Math.max(0, now - this.#at) / placeS));
    return (this.#entered - this.#position + creep) / this.#entered;
  }

  /**
   * @param {number} now
   * @returns {{phrase: 'soon' | 'seconds' | 'minutes', minutes: number} | null} null while it is not known
   */
  estimate(now) {
    if (this.#etaS === undefined) return null;
    const leftS = this.#etaS - (now - this.#at);
    const minutes = Math.max(1, Math.round(leftS / MINUTE_S));
    if (leftS <= 0) return { phrase: 'soon', minutes };
    return { phrase: leftS <= 0.75 * MINUTE_S ? 'seconds' : 'minutes', minutes };
  }
}
