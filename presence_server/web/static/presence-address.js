// The address of a board's socket; its query says who the user is.

/** @typedef {import('./presence-types.js').Options} Options */

/**
 * The fields of a profile, which users may choose where the server lets them. They
 * are the names of options, of the query's parameters and of a user object's
 * fields; with "-" for "_" they are the attributes of `<presence-bar>`.
 */
export const PROFILE_FIELDS = /** @type {const} */ (['user_id', 'display_name', 'avatar_url', 'color']);

/**
 * A page may write `userId` for `user_id`, and so on.
 *
 * @typedef {Partial<Record<typeof PROFILE_FIELDS[number] | 'userId' | 'displayName' | 'avatarUrl', string>>} Profile
 */

/**
 * Where the server is. It serves this module itself, below its root, which is not
 * always that of the host, with or without a version in the path. A copy of the module elsewhere belongs to the page's
 * own server.
 *
 * @param {string} baseUrl  the page's address
 * @param {string} [moduleUrl]  for tests
 * @returns {string}
 */
export function serverRoot(baseUrl, moduleUrl = import.meta.url) {
  const served = /^(https?:.*\/)static\/(?:v\/[^/]+\/)?(?:dist\/)?[^/]+$/.exec(moduleUrl);
  return served ? served[1] : new URL('/', baseUrl).href;
}

/**
 * @param {{server?: string}} options
 * @param {string} baseUrl  what a relative `server` is relative to
 * @returns {URL} of the server's root
 * @throws {TypeError} `server` is not an address
 */
export function serverOf({ server }, baseUrl) {
  return new URL(server ?? serverRoot(baseUrl), baseUrl);
}

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
  const url = serverOf(options, baseUrl);
  url.protocol = url.protocol === 'https:' || url.protocol === 'wss:' ? 'wss:' : 'ws:';
  url.pathname = `${url.pathname.replace(/\/$/, '')}/ws/boards/${encodeURIComponent(options.board)}`;
  url.search = '';
  url.hash = '';
  for (const name of PROFILE_FIELDS) {
    const value = options[name];
    if (value) url.searchParams.set(name, value);
  }
  url.searchParams.set('watch', '1'); // See the board while waiting for a seat.
  if (sessionId !== null) url.searchParams.set('session_id', sessionId);
  return url.href;
}
