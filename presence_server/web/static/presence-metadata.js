// A user's metadata have two writers: the application, and the elements of this
// library, which keep to the key `presence`. Both together keep the server's limit.

import { checkMetadata } from './presence-values.js';

/** Puts both together. */
export class Metadata {
  /** @type {Record<string, unknown> | null} */
  #application = null;
  /** @type {Record<string, unknown>} */
  #elements = {};

  /** @param {Record<string, unknown>} fields  @returns {boolean} whether the elements say just that */
  has(fields) {
    return Object.entries(fields).every(([name, value]) => JSON.stringify(this.#elements[name]) === JSON.stringify(value));
  }

  /**
   * @param {unknown} metadata  of the application; replaces the old
   * @returns {object | null} what to send
   * @throws {TypeError | RangeError} the server would refuse it; the old one stands
   */
  ofApplication(metadata) {
    const checked = /** @type {Record<string, unknown> | null} */ (checkMetadata(metadata));
    const merged = merge(checked, this.#elements);
    this.#application = checked;
    return merged;
  }

  /**
   * @param {Record<string, unknown>} fields  undefined takes one away; the others stay
   * @returns {object | null} what to send
   * @throws {TypeError | RangeError} as above
   */
  ofElements(fields) {
    const elements = JSON.parse(JSON.stringify({ ...this.#elements, ...fields }));
    const merged = merge(this.#application, elements);
    this.#elements = elements;
    return merged;
  }
}

/**
 * @param {Record<string, unknown> | null} application
 * @param {Record<string, unknown>} elements
 */
function merge(application, elements) {
  if (Object.keys(elements).length === 0) return application;
  return checkMetadata({ ...application, presence: elements });
}
