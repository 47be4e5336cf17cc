// The address of a board's socket; its query says who the user is.

/** @typedef {import('./presence-types.js').Options} Options */

/**
 * The fields of a profile, which users may choose where the server lets them. They
 * are the names of options, of the query's parameters and of a user object's
 * fields; with "-" for "_" they are the attributes of `<presence-bar>`.
 */
export const PROFILE_FIELDS = /** @type {const} */ (['user_id', 'display_name', 'avatar_url', 'color']);

/** @typedef {Partial<Record<typeof PROFILE_FIELDS[number], string>>} Profile */

/**
 * The address of a board's socket.
 *
 * @param {Options} options
 * @param {string} baseUrl  what a relative `server` is relative to
 * @param {string | null} sessionId  the session to resume
 * @returns {string}
 * @throws {TypeError} `server` is not an address
 */
export function socketAddress(options, baseUrl, sessionId) {
  const url = new URL(options.server ?? '/', baseUrl);
  url.protocol = url.protocol === 'https:' || url.protocol === 'wss:' ? 'wss:' : 'ws:';
  url.pathname = `${url.pathname.replace(/\/$/, '')}/ws/boards/${encodeURIComponent(options.board)}`;
  url.search = '';
  url.hash = '';
  for (const name of PROFILE_FIELDS) {
    const value = options[name];
    if (value) url.searchParams.set(name, value);
  }
  if (sessionId !== null) url.searchParams.set('session_id', sessionId);
  return url.href;
}
