// The clients that the elements of a page share: one for each server, board and
// user, however many elements show it.

import { serverOf } from './presence-address.js';
import { PresenceClient } from './presence-client.js';
import { claimsOf } from './presence-token.js';

/** @typedef {import('./presence-types.js').Options} Options */

/**
 * @typedef {object} Shared
 * @property {PresenceClient} client
 * @property {number} holders  elements that show it
 * @property {number} leaving  the timer of a leave that is put off
 * @property {Options['getToken']} getToken  the newest that an element has: a framework makes
 *   a new function each time that it draws
 */

/** A client that was closed for these lets in a user with another token. */
const TOKEN_CODES = [4401, 4403];

/**
 * An element that is moved, mounted twice, or replaced by another one of the same
 * board shows nobody a leave: the client stays this long without an element.
 */
const LEAVE_AFTER_MS = 1_000;

// A second copy of this module on the page uses the same clients.
const KEY = Symbol.for('presence-server.clients');
/** @type {Map<string, Shared>} */
const clients = (/** @type {any} */ (globalThis)[KEY] ??= new Map());

/**
 * @param {Options} options
 * @returns {string} the same for elements that share a client
 */
export function keyOf({ board, server, user_id, token, getToken }) {
  const base = globalThis.location?.href ?? 'http://localhost/';
  const user = user_id ?? (token ? claimsOf(token).sub : undefined) ?? null;
  return JSON.stringify([serverOf({ server }, base).href, board, user, Boolean(getToken)]);
}

/**
 * Take part in the client of this board, server and user; it connects by itself.
 *
 * @param {Options} options
 * @returns {PresenceClient}
 * @throws {TypeError} the options name no board or server
 */
export function hold(options) {
  const key = keyOf(options);
  let shared = clients.get(key);
  if (!shared) {
    shared = make(options);
    clients.set(key, shared);
  }
  shared.holders += 1;
  clearTimeout(shared.leaving);
  shared.client.connect();
  return shared.client;
}

/**
 * @param {Options} options
 * @returns {Shared}
 */
function make(options) {
  const { getToken } = options;
  /** @type {Shared} */
  const shared = { client: /** @type {any} */ (null), holders: 0, leaving: 0, getToken };
  const ask = () => /** @type {NonNullable<Options['getToken']>} */ (shared.getToken)();
  shared.client = new PresenceClient(getToken ? { ...options, getToken: ask } : options);
  return shared;
}

/**
 * The options have changed, but not the board, the server or the user.
 *
 * @param {string} key
 * @param {Options} options
 */
export function refresh(key, options) {
  const shared = clients.get(key);
  if (!shared) return;
  const { client } = shared;
  shared.getToken = options.getToken;
  client.setProfile(options);
  if (options.token) client.setToken(options.token);
  if (client.state === 'closed' && TOKEN_CODES.includes(client.status.code ?? 0)) client.connect();
}

/**
 * Take part no longer. The last one to go ends the client.
 *
 * @param {string} key  of the options it was held by
 * @param {boolean} [now]  do not wait for another element
 */
export function release(key, now = false) {
  const shared = clients.get(key);
  if (!shared) return;
  shared.holders -= 1;
  if (shared.holders > 0) return;
  const leave = () => {
    clients.delete(key);
    shared.client.leave();
  };
  clearTimeout(shared.leaving);
  if (now) leave();
  else shared.leaving = globalThis.setTimeout(leave, LEAVE_AFTER_MS);
}
