// What an application sees of a client's board.

/** @typedef {import('./presence-clock.js').ServerClock} ServerClock */
/** @typedef {import('./presence-replica.js').BoardReplica} BoardReplica */
/** @typedef {import('./presence-replica.js').User} User */
/** @typedef {import('./presence-types.js').ClientEventTarget} ClientEventTarget */
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
 * @property {number} [roundTripMs]
 */

/**
 * The board at one moment, for libraries that compare values. It is frozen, and another
 * one after each change of users or state. Cursors move too often for that: each is the
 * one of the moment when something else changed last; the event `cursors` has the newest.
 *
 * @typedef {object} Snapshot
 * @property {string} board
 * @property {State} state
 * @property {Status} status
 * @property {readonly User[]} users  oneself included, in the order of joining
 * @property {readonly User[]} others
 * @property {User | null} self
 * @property {{position: number, queueLength: number, capacity: number, etaS?: number} | null} queue
 */

/** The part of a client that can be read. */
export class BoardView extends /** @type {{new (): ClientEventTarget}} */ (EventTarget) {
  #known;
  /** @type {Snapshot | null} */
  #snapshot = null;
  /** @type {Set<() => void>} */
  #subscribers = new Set();

  /** @param {Known} known */
  constructor(known) {
    super();
    this.#known = known;
    // The first listeners, so that no other one meets an old snapshot.
    for (const type of /** @type {const} */ (['users', 'state'])) this.addEventListener(type, () => this.#changed());
  }

  /** The same value until something changes. @returns {Snapshot} */
  get snapshot() {
    this.#snapshot ??= this.#take();
    return this.#snapshot;
  }

  /**
   * Have a function called after each change of the snapshot.
   *
   * @param {() => void} subscriber
   * @returns {() => void} ends it
   */
  subscribe(subscriber) {
    const mine = () => subscriber(); // The same function may subscribe twice.
    this.#subscribers.add(mine);
    return () => void this.#subscribers.delete(mine);
  }

  #changed() {
    this.#snapshot = null;
    for (const subscriber of [...this.#subscribers]) subscriber();
  }

  /** @returns {Snapshot} */
  #take() {
    const { board, status, userId, replica } = this.#known;
    const users = Object.freeze([...replica.users.values()]);
    const { state, position = 1, queueLength = 1, capacity = 0, etaS } = status;
    return Object.freeze({
      board,
      state,
      status,
      users,
      others: Object.freeze(users.filter((user) => user.user_id !== userId)),
      self: this.self,
      queue: state === 'queued' ? Object.freeze({ position, queueLength, capacity, etaS }) : null,
    });
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

  /** How long the last heartbeat took to be answered; null before one was. @returns {number | null} milliseconds */
  get roundTripMs() {
    return this.#known.roundTripMs ?? null;
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
