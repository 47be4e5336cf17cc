// What an application sees of a client's board.

/** @typedef {import('./presence-clock.js').ServerClock} ServerClock */
/** @typedef {import('./presence-replica.js').BoardReplica} BoardReplica */
/** @typedef {import('./presence-replica.js').User} User */
/** @typedef {import('./presence-types.js').State} State */
/** @typedef {import('./presence-types.js').Status} Status */

/**
 * What a client knows; the client changes it.
 *
 * @typedef {object} Known
 * @property {string} board
 * @property {BoardReplica} replica
 * @property {ServerClock} clock
 * @property {Status} status
 * @property {string | null} userId
 */

/** The part of a client that can be read. */
export class BoardView extends EventTarget {
  #known;

  /** @param {Known} known */
  constructor(known) {
    super();
    this.#known = known;
  }

  /** @returns {Status} */
  get status() {
    return this.#known.status;
  }

  /** @returns {State} */
  get state() {
    return this.#known.status.state;
  }

  /** @returns {string} */
  get board() {
    return this.#known.board;
  }

  /** Everyone on the board by user_id, oneself included. @returns {ReadonlyMap<string, User>} */
  get users() {
    return this.#known.replica.users;
  }

  /** Who the server says this is; null until it has said so. @returns {string | null} */
  get userId() {
    return this.#known.userId;
  }

  /** The server's time: every timestamp is by this clock. @returns {number} milliseconds since the epoch */
  get serverTime() {
    return this.#known.clock.now;
  }

  /** @returns {User | null} */
  get self() {
    const { userId } = this.#known;
    return (userId !== null && this.users.get(userId)) || null;
  }
}
