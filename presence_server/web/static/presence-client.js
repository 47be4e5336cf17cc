// The client of a presence server: one session on one board, for as long as the
// page wants it (docs/websocket-events-specification.md).

import { ActivityTracker } from './presence-activity.js';
import { validWait } from './presence-close.js';
import { Connection } from './presence-connection.js';
import { browserEnvironment } from './presence-environment.js';
import { Outgoing } from './presence-outgoing.js';
import { BoardReplica } from './presence-replica.js';

/** @typedef {import('./presence-address.js').Profile} Profile */
/** @typedef {import('./presence-environment.js').Environment} Environment */
/** @typedef {import('./presence-replica.js').User} User */
/** @typedef {import('./presence-replica.js').UsersChange} UsersChange */

/**
 * @typedef {'new' | 'connecting' | 'queued' | 'joined' | 'reconnecting' | 'full' | 'closed'} State
 */

/**
 * The detail of a `state` event, and {@link PresenceClient.status}.
 *
 * @typedef {object} Status
 * @property {State} state
 * @property {number} [position]  queued: 1 is next
 * @property {number} [queueLength]  queued
 * @property {number} [capacity]  queued, joined
 * @property {boolean} [resumed]  joined: nobody saw this session leave
 * @property {number} [retryAt]  reconnecting, full: milliseconds since the epoch
 * @property {number} [code]  reconnecting, full, closed: the close code
 * @property {string} [reason]  closed: for a developer, in English
 */

/**
 * The fields of {@link Profile} say who the user is, on servers with `auth.mode =
 * none`; without a `user_id` the user is a guest.
 *
 * @typedef {Profile & ConnectOptions} Options
 */

/**
 * @typedef {object} ConnectOptions
 * @property {string} board
 * @property {string} [server]  http(s) or ws(s) address; default: the page's own server
 * @property {string} [token]  a JWT (`auth.mode = jwt`)
 * @property {() => string | Promise<string>} [getToken]  called before each
 *   connection and before the token expires
 * @property {number} [cursorIntervalMs]  between two cursor messages; default 50
 * @property {Partial<Environment>} [environment]  for tests
 */

const BOARD_ID = /^[A-Za-z0-9_\-.:~]{1,128}$/;
const CONGESTED_BYTES = 64 * 1024;

/**
 * A user on a board.
 *
 *     const client = new PresenceClient({ board: 'demo', user_id: 'ada', display_name: 'Ada' });
 *     client.addEventListener('users', () => draw(client.users));
 *     client.connect();
 *
 * Events, all CustomEvents, with their detail: `state` ({@link Status}),
 * `users` ({@link UsersChange}), `cursors` (`{cursors: [user_id, x, y][]}`),
 * `error` (`{code, message, retry_after_ms?}`), `binary` (`{data: ArrayBuffer}`).
 */
export class PresenceClient extends EventTarget {
  #board;
  #replica = new BoardReplica();
  #activity;
  #outgoing;
  #connection;
  /** @type {string | null} */
  #userId = null;
  /** @type {Status} */
  #status = { state: 'new' };
  /** @type {(() => void)[]} */
  #whenClosed = [];

  /**
   * @param {Options} options
   * @throws {TypeError} a board id the server would refuse
   */
  constructor(options) {
    super();
    if (!BOARD_ID.test(options.board)) throw new TypeError(`not a board id: ${options.board}`);
    this.#board = options.board;
    const env = { ...browserEnvironment(), ...options.environment };
    this.#activity = new ActivityTracker(env, (status) => this.#outgoing.status(status));
    this.#outgoing = new Outgoing(env, options.cursorIntervalMs ?? 50, (u) => this.#update(u));
    this.#connection = new Connection(options, env, {
      frame: (data) => this.#receive(data),
      status: (status) => this.#become(status),
      detached: () => this.#outgoing.closed(),
      noToken: (message) => this.#emit('error', { code: 'TOKEN_UNAVAILABLE', message }),
    });
  }

  /** @returns {Status} */
  get status() {
    return this.#status;
  }

  /** @returns {State} */
  get state() {
    return this.#status.state;
  }

  /** @returns {string} */
  get board() {
    return this.#board;
  }

  /** Everyone on the board by user_id, oneself included. @returns {ReadonlyMap<string, User>} */
  get users() {
    return this.#replica.users;
  }

  /** Who the server says this is; null until it has said so. @returns {string | null} */
  get userId() {
    return this.#userId;
  }

  /** @returns {User | null} */
  get self() {
    return (this.#userId !== null && this.users.get(this.#userId)) || null;
  }

  /** Join the board, and stay. It has no effect on a client that already does. */
  connect() {
    if (this.#connection.running) return;
    this.#activity.start();
    this.#connection.start();
  }

  /**
   * Leave the board for good; the seat is free at once.
   *
   * @returns {Promise<void>} settled when the state is `closed`
   */
  leave() {
    if (!this.#connection.running) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenClosed.push(resolve);
      this.#connection.leave();
    });
  }

  /**
   * Move the user's cursor.
   *
   * @param {number | null} x  board units; null takes the cursor away
   * @param {number} [y]
   */
  moveCursor(x, y = 0) {
    this.#outgoing.cursor(x === null ? null : { x, y });
  }

  /**
   * Set the status that the person chose; with `online` or null it follows the input.
   *
   * @param {'online' | 'idle' | 'away' | null} status
   */
  setStatus(status) {
    this.#activity.override(status === 'online' ? null : status);
  }

  /** @param {object | null} metadata  replaces the old; at most 2 KiB as JSON */
  setMetadata(metadata) {
    this.#outgoing.metadata(metadata);
  }

  /** Report input that the window does not see, such as input inside an iframe. */
  input() {
    this.#activity.input();
  }

  /**
   * Send a Yjs frame.
   *
   * @param {ArrayBuffer | Uint8Array} data
   * @returns {boolean} false while not on the board
   */
  sendBinary(data) {
    if (this.state !== 'joined' || !this.#connection.sendBinary(data)) return false;
    this.#activity.reported();
    return true;
  }

  // --- from the server ------------------------------------------------------

  /** @param {string | ArrayBuffer} data */
  #receive(data) {
    if (typeof data !== 'string') {
      this.#emit('binary', { data });
      return;
    }
    const { type, payload } = parse(data);
    if (payload === null || typeof payload !== 'object') return;
    switch (type) {
      case 'board:joined':
        return this.#joined(payload);
      case 'board:queued':
        return this.#queued(payload);
      case 'user:joined':
        return this.#changed(this.#replica.joined(payload));
      case 'user:left':
        return this.#changed(this.#replica.left(payload));
      case 'presence:update':
        return this.#changed(this.#replica.updated(payload));
      case 'presence:cursors':
        return this.#emit('cursors', { cursors: this.#replica.cursors(payload) });
      case 'auth:refreshed':
        return this.#connection.tokenAccepted(payload.expires_at);
      case 'error':
        return this.#failed(payload);
    }
  }

  /** @param {any} payload */
  #joined(payload) {
    this.#connection.settled(payload.session_id, payload.heartbeat_interval_s * 1000);
    this.#connection.tokenAccepted();
    this.#userId = payload.self.user_id;
    this.#activity.thresholds(payload.idle_after_s * 1000, payload.away_after_s * 1000);
    this.#changed(this.#replica.snapshot(payload));
    this.#become({ state: 'joined', resumed: payload.resumed, capacity: payload.capacity });
    if (this.#connection.leaving) return;
    // The server takes a new session for online by itself.
    const activity = this.#activity.activity;
    const status = payload.resumed || activity !== 'active' ? activity : null;
    this.#outgoing.opened(payload.resumed, status);
    this.#activity.reported();
  }

  /** @param {any} payload */
  #queued(payload) {
    const entered = this.state !== 'queued';
    this.#connection.settled(payload.session_id, entered ? payload.heartbeat_interval_s * 1000 : null);
    if (entered) this.#connection.tokenAccepted();
    this.#userId = payload.user_id;
    this.#clearUsers();
    const { position, queue_length: queueLength, capacity } = payload;
    this.#become({ state: 'queued', position, queueLength, capacity });
  }

  /** @param {any} payload */
  #failed(payload) {
    const retryAfterMs = validWait(payload.retry_after_ms);
    if (retryAfterMs !== null) this.#connection.retryAfter(retryAfterMs);
    if (payload.code === 'RATE_LIMITED') this.#outgoing.pause(retryAfterMs ?? 1000);
    if (payload.code === 'UNAUTHORIZED') this.#connection.tokenRefused();
    this.#emit('error', payload);
  }

  // --- to the server --------------------------------------------------------

  /** @param {import('./presence-outgoing.js').Update} update */
  #update(update) {
    const cursorOnly = update.status === undefined && update.metadata === undefined;
    if (cursorOnly && this.#connection.backlog > CONGESTED_BYTES) return false;
    // An update without a status counts as activity and would set `online`.
    const activity = this.#activity.activity;
    const status = update.status ?? (activity === 'active' ? undefined : activity);
    this.#activity.reported();
    this.#connection.send('presence:update', status === undefined ? update : { ...update, status });
    return true;
  }

  // --- events ---------------------------------------------------------------

  /** @param {Status} status */
  #become(status) {
    this.#status = status;
    if (status.state === 'full' || status.state === 'closed') this.#clearUsers();
    if (status.state === 'closed') {
      this.#activity.stop();
      this.#outgoing.left();
    }
    this.#emit('state', status);
    if (status.state === 'closed') for (const tell of this.#whenClosed.splice(0)) tell();
  }

  #clearUsers() {
    if (this.users.size > 0) this.#changed(this.#replica.clear());
  }

  /** @param {UsersChange | null} change */
  #changed(change) {
    if (change !== null) this.#emit('users', change);
  }

  /**
   * @param {string} type
   * @param {object} detail
   */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/**
 * @param {string} data
 * @returns {{type?: unknown, payload?: any}} empty when it is not of this protocol
 */
function parse(data) {
  try {
    return JSON.parse(data) ?? {};
  } catch {
    return {};
  }
}
