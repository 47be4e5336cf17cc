// The name, colour and status of the person at this browser. They are kept for
// each browser profile, so that several tabs are one person; the page's address
// overrides them for this page.

import { PROFILE_FIELDS } from './presence-address.js';

const KEY = 'presence:identity';
const STATUS_KEY = 'presence:status';
const TOKEN_KEY = 'presence:token';

const FIRST = ['Amber', 'Brave', 'Calm', 'Clever', 'Gentle', 'Jolly', 'Lucky', 'Quiet', 'Quick', 'Sunny', 'Swift', 'Warm'];
const SECOND = ['Badger', 'Crane', 'Finch', 'Fox', 'Hare', 'Heron', 'Lynx', 'Marten', 'Otter', 'Owl', 'Raven', 'Wren'];

/**
 * @typedef {import('./presence-address.js').Profile & {user_id: string, display_name: string}} Identity
 */

/**
 * @param {URLSearchParams} query  of the page
 * @returns {Identity} the one that was kept, or a new one
 */
export function loadIdentity(query) {
  const identity = stored() ?? invent();
  for (const name of PROFILE_FIELDS) {
    const value = query.get(name);
    if (value) identity[name] = value;
  }
  // The invented name belongs to another user id.
  if (query.has('user_id') && !query.has('display_name')) identity.display_name = identity.user_id;
  return identity;
}

/**
 * Remember a name and a colour. An identity from the page's address stays the
 * page's own.
 *
 * @param {Identity} identity
 * @param {URLSearchParams} query
 */
export function saveIdentity(identity, query) {
  if (PROFILE_FIELDS.some((name) => query.has(name))) return;
  attempt(() => localStorage.setItem(KEY, JSON.stringify(identity)));
}

/**
 * The status chosen in this tab; it outlasts a reload.
 *
 * @returns {'online' | 'idle' | 'away'}
 */
export function loadStatus() {
  const status = attempt(() => sessionStorage.getItem(STATUS_KEY));
  return status === 'idle' || status === 'away' ? status : 'online';
}

/**
 * Keep the status chosen in this tab over a reload.
 *
 * @param {string} status
 */
export function saveStatus(status) {
  attempt(() => sessionStorage.setItem(STATUS_KEY, status));
}

/**
 * The token of the page's address: `?token=`, or better `#token=`, which browsers
 * send to no server. The address is shown, copied and kept in the history, so the
 * token is taken out of it; sessionStorage keeps it over a reload.
 *
 * @returns {string | undefined}
 */
export function takeToken() {
  const address = new URL(location.href);
  const fragment = new URLSearchParams(address.hash.slice(1));
  const token = fragment.get('token') ?? address.searchParams.get('token');
  if (token === null) return attempt(() => sessionStorage.getItem(TOKEN_KEY)) ?? undefined;
  fragment.delete('token');
  address.searchParams.delete('token');
  address.hash = String(fragment);
  history.replaceState(history.state, '', address);
  attempt(() => sessionStorage.setItem(TOKEN_KEY, token));
  return token;
}

/** @returns {Identity | null} */
function stored() {
  const text = attempt(() => localStorage.getItem(KEY));
  const value = text && attempt(() => JSON.parse(text));
  return value && typeof value.user_id === 'string' && value.user_id ? value : null;
}

/** @returns {Identity} */
function invent() {
  const random = crypto.getRandomValues(new Uint8Array(10));
  const identity = {
    user_id: `u-${[...random.slice(2)].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`,
    display_name: `${FIRST[random[0] % FIRST.length]} ${SECOND[random[1] % SECOND.length]}`,
  };
  attempt(() => localStorage.setItem(KEY, JSON.stringify(identity)));
  return identity;
}

/**
 * Storage can be blocked; then each page load is a new person.
 *
 * @template T
 * @param {() => T} use
 * @returns {T | null}
 */
function attempt(use) {
  try {
    return use();
  } catch {
    return null;
  }
}
