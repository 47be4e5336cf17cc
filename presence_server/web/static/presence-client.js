// The client of a presence server: one session on one board, for as long as the
// page wants it (docs/websocket-events-specification.md).

import { ActivityTracker } from './presence-activity.js';
import { validWait } from './presence-close.js';
import { BinaryPlane, isChange } from './presence-binary.js';
import { ServerClock } from './presence-clock.js';
import { Complaints } from './presence-complaints.js';
import { Connection } from './presence-connection.js';
import { browserEnvironment } from './presence-environment.js';
import { queuedStatus, takeIn } from './presence-inbox.js';
import { Leaving } from './presence-leaving.js';
import { withApplication, withElements } from './presence-metadata.js';
import { Outgoing } from './presence-outgoing.js';
import { BoardReplica } from './presence-replica.js';
import { changeProfile, checkCursor, checkOptions, checkStatus } from './presence-values.js';
import { BoardView } from './presence-view.js';

/** @typedef {import('./presence-replica.js').UsersChange} UsersChange */
/** @typedef {import('./presence-address.js').Profile} Profile */
/** @typedef {import('./presence-types.js').Options} Options */
/** @typedef {import('./presence-types.js').Status} Status */

const CONGESTED_BYTES = 64 * 1024;
const CONNECTION = Symbol.for('presence-server.connection'); // for <presence-debug>, of any copy of this module

/**
 * A user on a board.
 *
 *     const client = new PresenceClient({ board: 'demo', user_id: 'ada', display_name: 'Ada' });
 *     client.addEventListener('users', () => draw(client.users));
 *     client.connect();
 *
 * Events, all CustomEvents, with their detail: `state` ({@link Status}),
 * `users` ({@link UsersChange}), `cursors` (`{cursors: [user_id, x, y][]}`),
 * `error` (`{code, message, retry_after_ms?}`), `binary` (`{data: ArrayBuffer}`),
 * `stored` (`{updates}`).
 */
export class PresenceClient extends BoardView {
  /** @type {Options} */
  #target;
  #known;
  #activity;
  #outgoing;
  #connection;
  #complaints = new Complaints();
  #isOffline = false;
  #leaving = new Leaving();
  #binary = new BinaryPlane();
  /** @type {import('./presence-inbox.js').InboxHandlers} */
  #inbox = {
    joined: (payload) => this.#joined(payload),
    queued: (payload) => this.#queued(payload),
    watching: (payload) => this.#watching(payload),
    changed: (change) => this.#changed(change),
    moved: (cursors) => this.#emit('cursors', { cursors }),
    answered: () => void (this.#known.roundTripMs = this.#outgoing.answered()),
    refreshed: (expiresAt) => this.#connection.tokens.accepted(expiresAt),
    stored: (updates) => this.#emit('stored', { updates }),
    failed: (payload) => this.#failed(payload),
  };

  /**
   * @param {Options} options
   * @throws {TypeError} a board id or a user id that the server would refuse
   */
  constructor(options) {
    const target = checkOptions(options);
    const env = { ...browserEnvironment(), ...options.environment };
    const clock = new ServerClock(env);
    /** @type {import('./presence-view.js').Known} */
    const known = { board: target.board, replica: new BoardReplica(), clock, status: { state: 'new' }, userId: null };
    super(known);
    this.#target = target;
    this.#known = known;
    this.#activity = new ActivityTracker(env, options.hiddenAfterMs, (status) => this.#outgoing.status(status));
    this.#outgoing = new Outgoing(env, options.cursorIntervalMs, {
      send: (update) => this.#update(update),
      self: () => this.self,
      ask: () => this.#connection.ask(),
    });
    this.#connection = new Connection(target, env, clock, {
      frame: (data) => this.#receive(data),
      status: (status) => this.#become(status),
      detached: () => this.#outgoing.closed(),
      asked: () => this.#outgoing.asked(),
      failed: (code, message) => this.#complain({ code, message }),
      offline: (offline) => this.#offline(offline),
    });
    /** @type {any} */ (this)[CONNECTION] = this.#connection;
  }

  /**
   * Join the board, and stay. It has no effect on a client that already does; one
   * that is about to leave stays, or comes back when it has left.
   */
  connect() {
    if (this.#connection.leaving && this.#connection.running) {
      if (this.#connection.stay()) this.#leaving.settle();
      else this.#leaving.comesBack = true;
    }
    if (this.#connection.running) return;
    this.#activity.start();
    this.#connection.start();
  }

  /**
   * Leave the board for good; the seat is free at once.
   *
   * @returns {Promise<void>} settled when the state is `closed`, or `connect()` was called
   */
  leave() {
    if (!this.#connection.running) return Promise.resolve();
    const over = this.#leaving.over();
    if (!this.#connection.leaving) this.#outgoing.leaving();
    this.#connection.leave();
    return over;
  }

  /**
   * Look different: seat, session and place in the queue stay. Another `user_id` is
   * somebody else, who joins anew. Where tokens say who a user is, the server answers
   * with the error `FORBIDDEN`, unless the token has the claim `profile: "client"`.
   *
   * @param {Profile} profile  all of it
   * @throws {TypeError} a user id that the server would refuse
   */
  setProfile(profile) {
    const { isSomebodyElse, changes } = changeProfile(this.#target, profile);
    if (isSomebodyElse && this.#connection.running) {
      this.leave();
      this.connect();
    } else if (changes && this.#connection.running) {
      this.#outgoing.profile(changes);
      if (this.state === 'queued') this.#connection.send('profile:update', changes);
    }
  }

  /** @param {string} token  a new JWT, for this session and the connections to come */
  setToken(token) {
    this.#connection.renew(token);
  }

  /**
   * Move the user's cursor.
   *
   * @param {number | null} x  board units; null takes the cursor away
   * @param {number} [y]
   * @throws {TypeError} not finite numbers
   */
  moveCursor(x, y = 0) {
    this.#outgoing.cursor(checkCursor(x, y));
  }

  /**
   * Set the status that the person chose; with `online` or null it follows the input.
   *
   * @param {'online' | 'idle' | 'away' | null} status
   * @throws {TypeError} not a status
   */
  setStatus(status) {
    this.#activity.override(checkStatus(status));
  }

  /**
   * Tell the others something that the application makes up.
   *
   * @param {object | null} metadata  replaces the old; at most 2 KiB as JSON
   * @throws {TypeError | RangeError} the server would refuse it; the old one stands
   */
  setMetadata(metadata) {
    this.#outgoing.metadata(withApplication(this.#outgoing.newestMetadata, metadata));
  }

  /**
   * For elements: tell the others something under the key `presence` of the metadata,
   * beside what the application says there. The same again costs nothing.
   *
   * @param {Record<string, unknown>} fields  undefined takes one away; the others stay
   * @throws {TypeError | RangeError} the server would refuse it; the old ones stand
   */
  setPresence(fields) {
    const metadata = withElements(this.#outgoing.newestMetadata, fields);
    if (metadata !== undefined) this.#outgoing.metadata(metadata);
  }

  /** Report input that the window does not see, such as input inside an iframe. */
  input() {
    this.#activity.input();
  }

  /**
   * Send a Yjs frame.
   *
   * @param {ArrayBuffer | Uint8Array} data
   * @returns {boolean} false while neither on the board nor in its queue, or when the server answers none
   */
  sendBinary(data) {
    if (!this.#binary.maySend(this.state) || !this.#connection.sendBinary(data)) return false;
    this.#binary.sent(this.state);
    if (isChange(data)) this.#activity.reported();
    return true;
  }

  // --- from the server ------------------------------------------------------

  /** @param {string | ArrayBuffer} data */
  #receive(data) {
    if (typeof data !== 'string') {
      this.#binary.answered();
      this.#emit('binary', { data });
      return;
    }
    takeIn(data, this.#known.clock, this.#known.replica, this.#inbox);
  }

  /** @param {any} payload */
  #joined(payload) {
    this.#connection.settled(payload.session_id, payload.self, payload.heartbeat_interval_s * 1000);
    this.#connection.tokens.accepted();
    this.#known.userId = payload.self.user_id;
    this.#activity.thresholds(payload.idle_after_s * 1000, payload.away_after_s * 1000);
    this.#changed(this.#known.replica.snapshot(payload));
    this.#become({ state: 'joined', resumed: payload.resumed, capacity: payload.capacity });
    if (this.#connection.leaving) return;
    // The server takes a new session for online by itself.
    const activity = this.#activity.activity;
    const status = payload.resumed || activity !== 'active' ? activity : null;
    this.#outgoing.pace(payload.updates_per_s);
    this.#outgoing.opened(payload.resumed, status);
    this.#activity.reported();
  }

  /** @param {any} payload */
  #queued(payload) {
    const entered = this.state !== 'queued';
    this.#connection.settled(payload.session_id, { user_id: payload.user_id }, entered ? payload.heartbeat_interval_s * 1000 : null);
    if (entered) this.#connection.tokens.accepted();
    this.#known.userId = payload.user_id;
    if (entered) this.#clearUsers();
    this.#become(queuedStatus(payload, !entered && this.status.watching));
  }

  /** @param {any} payload */
  #watching(payload) {
    this.#changed(this.#known.replica.snapshot(payload));
    this.#become({ ...this.status, watching: true });
  }

  /** @param {any} payload */
  #failed(payload) {
    const retryAfterMs = validWait(payload.retry_after_ms);
    if (retryAfterMs !== null) this.#connection.retryAfter(retryAfterMs);
    this.#outgoing.failed(payload.code, retryAfterMs);
    if (payload.code === 'UNAUTHORIZED') this.#connection.tokens.refused();
    this.#complain(payload);
  }

  /** @param {{code: string, message: string}} error */
  #complain(error) {
    this.#complaints.about(error);
    this.#emit('error', error);
  }

  /** @param {boolean} offline  true: the browser says so; false: a frame came */
  #offline(offline) {
    if (offline === this.#isOffline || this.state === 'closed') return;
    this.#isOffline = offline;
    this.#become(this.status);
  }

  // --- to the server --------------------------------------------------------

  /** @param {import('./presence-outgoing.js').Update} fields */
  #update(fields) {
    if (this.#connection.backlog > CONGESTED_BYTES) return false;
    const { profile, ...update } = fields;
    if (profile) this.#connection.send('profile:update', profile);
    if (Object.keys(update).length === 0) return true;
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
    const { offline: _, ...rest } = status;
    if (status.state === 'closed') this.#isOffline = false;
    this.#known.status = this.#isOffline ? { ...rest, offline: true } : rest;
    if (status.state === 'full' || status.state === 'closed') this.#clearUsers();
    if (status.state === 'closed') {
      this.#activity.stop();
      this.#outgoing.left();
    }
    this.#emit('state', this.status);
    if (status.state === 'closed' && this.#leaving.settle()) this.connect();
  }

  #clearUsers() {
    if (this.users.size > 0) this.#changed(this.#known.replica.clear());
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
