// Checks what a page passes in by the server's rules (specification, sections 1
// and 3). The server would drop a bad update, and close a client that sends many;
// so a bad value is refused at the call, and only good ones are kept.

import { PROFILE_FIELDS } from './presence-address.js';

/** @typedef {import('./presence-address.js').Profile} Profile */
/** @typedef {import('./presence-outgoing.js').Cursor} Cursor */
/** @typedef {import('./presence-outgoing.js').ProfileChange} ProfileChange */
/** @typedef {import('./presence-types.js').Options} Options */

/** Of metadata, as compact UTF-8 JSON. */
export const MAX_METADATA_BYTES = 2048;
/** Of objects and lists in each other, the metadata itself included. */
export const MAX_METADATA_DEPTH = 32;

/** As the server's rule, without the two that mean something else in an address. */
const BOARD_ID = /^(?!\.\.?$)[A-Za-z0-9_\-.:~]{1,128}$/;
const STATUSES = ['online', 'active', 'idle', 'away'];
/** The longest value of each field that can matter: together they must fit into a request head. */
const MAX_PROFILE_LENGTH = { user_id: 512, display_name: 160, avatar_url: 2048, color: 7 };

const OPTIONS = new Set([
  'board', 'server', 'token', 'getToken', 'cursorIntervalMs', 'hiddenAfterMs', 'environment',
  ...PROFILE_FIELDS, ...PROFILE_FIELDS.map(camelCase),
]);

/**
 * What a client connects with, from what the page gave it.
 *
 * @param {Options} options
 * @returns {Options}
 * @throws {TypeError} a value that the server would refuse, or of the wrong type
 */
export function checkOptions(options) {
  const unknown = Object.keys(options).filter((name) => !OPTIONS.has(name));
  if (unknown.length > 0) console.warn(`PresenceClient does not know the option ${unknown.join(', ')}`);
  return {
    board: checkBoard(options.board),
    server: checkServer(options.server),
    token: checkType(options.token, 'token', 'string'),
    getToken: checkType(options.getToken, 'getToken', 'function'),
    cursorIntervalMs: checkMilliseconds(options.cursorIntervalMs, 'cursorIntervalMs'),
    hiddenAfterMs: checkMilliseconds(options.hiddenAfterMs, 'hiddenAfterMs'),
    ...checkProfile(options),
  };
}

/**
 * @param {unknown} server
 * @returns {string | undefined}
 * @throws {TypeError} not an address
 */
function checkServer(server) {
  const text = checkType(server, 'server', 'string');
  if (text === undefined || URL.canParse(text, 'https://page.invalid/')) return text;
  throw new TypeError(`server is not an address: ${text}`);
}

/**
 * @param {unknown} value
 * @param {string} name
 * @param {'string' | 'function' | 'number'} type
 * @returns {any} undefined for null
 * @throws {TypeError} of another type
 */
function checkType(value, name, type) {
  if (value === undefined || value === null) return undefined;
  if (typeof value === type) return value;
  throw new TypeError(`${name} is a ${type}, not a ${typeof value}`);
}

/**
 * @param {unknown} value
 * @param {string} name
 * @returns {number | undefined}
 * @throws {TypeError} not a time
 */
function checkMilliseconds(value, name) {
  const number = checkType(value, name, 'number');
  if (number === undefined || number >= 0) return number;
  throw new TypeError(`${name} is a number of milliseconds: ${number}`);
}

/**
 * @param {unknown} board
 * @returns {string}
 * @throws {TypeError} the server would refuse it
 */
export function checkBoard(board) {
  if (typeof board === 'string' && BOARD_ID.test(board)) return board;
  throw new TypeError(`not a board id: ${String(board)}`);
}

/**
 * @param {unknown} x
 * @param {unknown} y
 * @returns {Cursor}
 * @throws {TypeError} not finite numbers, and `x` is not null
 */
export function checkCursor(x, y) {
  if (x === null) return null;
  if (typeof x === 'number' && typeof y === 'number' && Number.isFinite(x) && Number.isFinite(y)) {
    return { x, y };
  }
  throw new TypeError(`a cursor is two finite numbers, or null: ${String(x)}, ${String(y)}`);
}

/**
 * @param {unknown} status
 * @returns {'active' | 'idle' | 'away' | null} null: as the input says
 * @throws {TypeError} not a status
 */
export function checkStatus(status) {
  if (status === null) return null;
  if (typeof status !== 'string' || !STATUSES.includes(status)) {
    throw new TypeError(`a status is online, idle, away or null: ${String(status)}`);
  }
  return status === 'idle' || status === 'away' ? status : null;
}

/**
 * Copy metadata, so that a later change by the page cannot make it bad.
 *
 * @param {unknown} metadata
 * @returns {object | null}
 * @throws {TypeError} not an object that JSON can carry and the server can keep
 * @throws {RangeError} too large
 */
export function checkMetadata(metadata) {
  if (metadata === null) return null;
  const text = JSON.stringify(metadata); // throws a TypeError for circles and BigInts
  if (typeof text !== 'string' || !text.startsWith('{')) {
    throw new TypeError('metadata is an object or null');
  }
  // A pair of backslashes is text; what is left begins an escape.
  if (/\\u(?:0000|d[89a-f])/.test(text.replaceAll('\\\\', '..'))) {
    throw new TypeError('metadata must not contain NUL or half a surrogate pair');
  }
  const bytes = new TextEncoder().encode(text).length;
  if (bytes > MAX_METADATA_BYTES) {
    throw new RangeError(`metadata is ${bytes} bytes as JSON, at most ${MAX_METADATA_BYTES}`);
  }
  const copy = JSON.parse(text);
  if (depthOf(copy) > MAX_METADATA_DEPTH) {
    throw new RangeError(`metadata is nested more than ${MAX_METADATA_DEPTH} deep`);
  }
  return copy;
}

/**
 * The fields of a profile that are worth sending. The server replaces what breaks
 * its rules, but a request head that is too long it refuses.
 *
 * @param {Profile} profile
 * @returns {Profile}
 * @throws {TypeError} a `user_id` that is too long: cut, it would be another user
 */
export function checkProfile(profile) {
  /** @type {Profile} */
  const checked = {};
  for (const name of PROFILE_FIELDS) {
    const value = profile[name] ?? profile[camelCase(name)];
    if (value === undefined || value === null || value === '') continue;
    const text = String(value);
    if (text.length <= MAX_PROFILE_LENGTH[name]) checked[name] = text;
    else if (name === 'user_id') throw new TypeError('a user_id is at most 128 characters');
    else if (name === 'display_name') checked[name] = text.slice(0, MAX_PROFILE_LENGTH[name]);
  }
  return checked;
}

/**
 * @param {Profile} target  has the old one, and gets the new one
 * @param {Profile} profile
 * @returns {{isSomebodyElse: boolean, changes: ProfileChange | null}} `changes` is what a
 *   `profile:update` says; null in it asks for the server's default
 * @throws {TypeError} a `user_id` that is too long
 */
export function changeProfile(target, profile) {
  const checked = checkProfile(profile);
  const isSomebodyElse = checked.user_id !== target.user_id;
  /** @type {ProfileChange} */
  const changes = {};
  for (const name of PROFILE_FIELDS) {
    if (checked[name] === target[name]) continue;
    if (name !== 'user_id') changes[name] = checked[name] ?? null;
    target[name] = checked[name];
  }
  return { isSomebodyElse, changes: Object.keys(changes).length > 0 ? changes : null };
}

/**
 * The name of an option as JavaScript writes it: `userId` for `user_id`.
 *
 * @template {string} T
 * @param {T} name
 */
function camelCase(name) {
  const camel = name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
  return /** @type {'userId' | 'displayName' | 'avatarUrl' | 'color'} */ (camel);
}

/**
 * @param {unknown} value  of JSON
 * @returns {number} 0 for a value that holds no others
 */
function depthOf(value) {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}
