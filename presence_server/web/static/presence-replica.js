// The client's copy of a board: a snapshot, and the events that follow it.

/**
 * @typedef {object} User
 * @property {string} user_id
 * @property {string} display_name
 * @property {string | null} avatar_url
 * @property {string} color
 * @property {'online' | 'idle' | 'away'} status
 * @property {boolean} connected
 * @property {{x: number, y: number} | null} cursor
 * @property {object | null} metadata
 * @property {number} joined_at
 */

/**
 * @typedef {object} UsersChange
 * @property {'snapshot' | 'joined' | 'left' | 'updated' | 'cleared'} kind
 * @property {User | null} user  the one who changed; null for the whole board
 * @property {string} [reason]  why a user left
 */

/** @typedef {[string, number | null, number | null]} CursorMove */

/** Everyone on a board, as far as this client has been told. */
export class BoardReplica {
  /**
   * Everyone on the board by user_id. User objects are replaced, never changed:
   * an application that keeps one keeps the old values.
   *
   * @type {Map<string, User>}
   */
  users = new Map();

  /**
   * @param {any} payload  of board:joined or board:watching
   * @returns {UsersChange}
   */
  snapshot(payload) {
    this.users = new Map();
    for (const user of payload.current_users) this.users.set(user.user_id, user);
    return { kind: 'snapshot', user: null };
  }

  /**
   * @param {any} payload  of user:joined
   * @returns {UsersChange}
   */
  joined(payload) {
    this.users.set(payload.user.user_id, payload.user);
    return { kind: 'joined', user: payload.user };
  }

  /**
   * @param {any} payload  of user:left
   * @returns {UsersChange | null} null when the user was not there
   */
  left(payload) {
    const user = this.users.get(payload.user_id);
    if (!user) return null;
    this.users.delete(payload.user_id);
    return { kind: 'left', user, reason: payload.reason };
  }

  /**
   * @param {any} payload  of presence:update
   * @returns {UsersChange | null} null when the user is not there
   */
  updated(payload) {
    const old = this.users.get(payload.user_id);
    if (!old) return null;
    const { status, connected, metadata } = payload;
    const user = { ...old, status, connected, metadata };
    this.users.set(user.user_id, user);
    return { kind: 'updated', user };
  }

  /**
   * @param {any} payload  of user:updated
   * @returns {UsersChange | null} null when the user is not there
   */
  replaced({ user }) {
    if (!this.users.has(user.user_id)) return null;
    this.users.set(user.user_id, user);
    return { kind: 'updated', user };
  }

  /**
   * @param {any} payload  of presence:cursors
   * @returns {CursorMove[]} the moves of users who are there
   */
  cursors(payload) {
    return payload.cursors.filter((/** @type {CursorMove} */ [userId, x, y]) => {
      const old = this.users.get(userId);
      if (!old) return false;
      const cursor = x === null || y === null ? null : { x, y };
      this.users.set(userId, { ...old, cursor });
      return true;
    });
  }

  /** @returns {UsersChange} */
  clear() {
    this.users = new Map();
    return { kind: 'cleared', user: null };
  }
}

/**
 * Read a text frame.
 *
 * @param {string} data
 * @returns {{type: unknown, payload: any}} without a type when it is not of this protocol
 */
export function readEvent(data) {
  try {
    const { type, payload } = JSON.parse(data);
    if (typeof payload === 'object' && payload !== null) return { type, payload };
  } catch {
    // Not JSON, or not an object.
  }
  return { type: undefined, payload: {} };
}
