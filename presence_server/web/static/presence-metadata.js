// A user's metadata have two writers: the application, and the elements of this
// library, which keep to the key `presence`. Both together keep the server's limit.
// Other tabs of the user write as well: what they wrote stays, except what is written anew.

import { checkMetadata } from './presence-values.js';

/** @typedef {Record<string, unknown>} Fields */

/**
 * @param {Fields | null} known  the newest metadata of the user
 * @param {unknown} metadata  of the application; replaces the old
 * @returns {object | null} what to send
 * @throws {TypeError | RangeError} the server would refuse it
 */
export function withApplication(known, metadata) {
  const checked = /** @type {Fields | null} */ (checkMetadata(metadata));
  const presence = elementsOf(known);
  return Object.keys(presence).length > 0 ? checkMetadata({ ...checked, presence }) : checked;
}

/**
 * @param {Fields | null} known  the newest metadata of the user
 * @param {Fields} fields  of the elements; undefined takes one away, the others stay
 * @returns {object | null | undefined} what to send; undefined: nothing changes
 * @throws {TypeError | RangeError} as above
 */
export function withElements(known, fields) {
  const before = elementsOf(known);
  const isSame = Object.entries(fields).every(([name, value]) => JSON.stringify(before[name]) === JSON.stringify(value));
  if (isSame) return undefined;
  const { presence: _, ...application } = known ?? {};
  const presence = JSON.parse(JSON.stringify({ ...before, ...fields }));
  if (Object.keys(presence).length > 0) return checkMetadata({ ...application, presence });
  return Object.keys(application).length > 0 ? application : null;
}

/** @param {Fields | null} metadata  @returns {Fields} */
function elementsOf(metadata) {
  const presence = metadata?.presence;
  return typeof presence === 'object' && presence !== null ? /** @type {Fields} */ (presence) : {};
}
