// Keeps one session's socket: opens it, notices when it is dead, and reconnects
// as the close code asks (specification, section 6).

import { planAfterClose, START_OVER_WITH_TOKEN } from './presence-close.js';
import { Timer } from './presence-environment.js';
import { Liveness } from './presence-liveness.js';
import { PageWatcher } from './presence-page.js';
import { Reach } from './presence-reach.js';
import { Retry } from './presence-retry.js';
import { Session } from './presence-session.js';
import { BoardSocket } from './presence-socket.js';
import { TokenKeeper } from './presence-token.js';

/** @typedef {import('./presence-address.js').Profile} Profile */
/** @typedef {import('./presence-environment.js').Environment} Environment */
/** @typedef {import('./presence-clock.js').ServerClock} ServerClock */
/** @typedef {import('./presence-types.js').Options} Options */
/** @typedef {import('./presence-types.js').Status} Status */

/**
 * @typedef {object} Handlers
 * @property {(data: string | ArrayBuffer) => void} frame
 * @property {(status: Status) => void} status  connecting, reconnecting, full or closed
 * @property {() => void} detached  the socket is gone; another may follow
 * @property {() => void} asked  a heartbeat was sent
 * @property {(code: string, message: string) => void} failed  no token, or no server
 * @property {(offline: boolean) => void} offline  the network is gone, or is back
 */

const CONNECT_WITHIN_MS = 15_000;
const LEAVE_WITHIN_MS = 2_000;
// The failure of a connection at least this old is the first of a new row.
const STABLE_AFTER_MS = 10_000;
/** After a silence this long the client asks whether the server is still there. */
const QUIET_MS = 5_000;
const DROPPED = 1006;
const UNAUTHORIZED = 4401;
// Only browsers may send 1001, and 1000 is a clean leave. The server takes a code
// that it does not know for a drop.
const CLOSE_AS_DROP = 4000;

/** One session's connection to the server. */
export class Connection {
  #options;
  #env;
  #handlers;
  #session;
  #liveness;
  #reach;
  #retry;
  #answerTimer;
  #leaveTimer;
  #page;
  /** @type {TokenKeeper} */
  tokens;
  /** Whether there is, or will be again, a socket. */
  running = false;
  leaving = false;
  #leaveIsSent = false;
  /** @type {BoardSocket | null} */
  #socket = null;
  /** The wait that the server asked for last. @type {number | null} */
  #retryAfterMs = null;
  #settledAt = Infinity;
  /** Tells an attempt whether it is still the latest. */
  #opening = 0;

  /**
   * @param {Options} options
   * @param {Environment} env
   * @param {ServerClock} clock
   * @param {Handlers} handlers
   */
  constructor(options, env, clock, handlers) {
    this.#options = options;
    this.#env = env;
    this.#handlers = handlers;
    this.#session = new Session(env, options);
    this.tokens = new TokenKeeper(env, options, clock, () => this.#renewToken());
    this.#liveness = new Liveness(env, () => this.#beat(), () => this.drop());
    this.#reach = new Reach(options, env, handlers.failed);
    this.#retry = new Retry(env, () => this.#open());
    this.#answerTimer = new Timer(env, () => this.drop());
    this.#leaveTimer = new Timer(env, () => this.#finish(1000, 'left'));
    this.#page = new PageWatcher(env, {
      online: () => this.#wake(0),
      offline: () => {
        this.#handlers.offline(true);
        this.#liveness.probe();
      },
      leaving: () => this.#session.release(),
      restored: () => this.#restored(),
      visible: () => this.#wake(QUIET_MS),
    });
  }

  /** Bytes the browser could not write yet. */
  get backlog() {
    return this.#socket?.backlog ?? 0;
  }

  start() {
    this.leaving = false;
    this.#leaveIsSent = false;
    this.#retry.reset();
    this.#session.claim();
    this.running = true;
    this.#page.start();
    this.#handlers.status({ state: 'connecting' });
    this.#open();
  }

  /** Leave the board; ends in `closed` within 2 s. */
  leave() {
    if (!this.running || this.leaving) return;
    this.leaving = true;
    this.#leaveTimer.start(LEAVE_WITHIN_MS);
    if (this.#socket?.isOpen) this.#sendLeave();
    // A detached session holds its seat until it times out: resume it to give it up.
    else if (this.#socket === null && this.#session.id !== null) this.#open();
    else if (this.#socket === null) this.#finish(1000, 'left');
  }

  /**
   * Do not leave after all.
   *
   * @returns {boolean} false when the server has been told already
   */
  stay() {
    if (this.#leaveIsSent) return false;
    this.leaving = false;
    this.#leaveTimer.stop();
    return true;
  }

  /** @param {string} token  sent at once if there is a session, and with later connections */
  renew(token) {
    if (token === this.tokens.token) return;
    this.tokens.replace(token);
    if (this.#settledAt < Infinity) this.send('auth:refresh', { token });
  }

  /**
   * The session is on the board, or in the queue.
   *
   * @param {string} sessionId
   * @param {Profile} self  who the server says the user is
   * @param {number | null} heartbeatMs  null: go on as before
   */
  settled(sessionId, self, heartbeatMs) {
    this.#answerTimer.stop();
    this.#reach.reached();
    this.#session.named(sessionId, self);
    if (this.#settledAt === Infinity) this.#settledAt = this.#env.now();
    if (heartbeatMs !== null) this.#liveness.start(heartbeatMs);
  }

  /** @param {number} retryAfterMs  what an error said; the close that follows counts from it */
  retryAfter(retryAfterMs) {
    this.#retryAfterMs = retryAfterMs;
  }

  /** Send a heartbeat, unless one is not answered yet. */
  ask() {
    this.#liveness.probe();
  }

  /**
   * @param {string} type
   * @param {object} payload
   */
  send(type, payload) {
    this.#socket?.send(JSON.stringify({ type, payload }));
  }

  /**
   * @param {ArrayBuffer | Uint8Array} data
   * @returns {boolean} whether there was a socket to take it
   */
  sendBinary(data) {
    return this.#socket?.send(data) ?? false;
  }

  // --- opening --------------------------------------------------------------

  async #open() {
    const opening = ++this.#opening;
    this.#retry.stop();
    this.#retryAfterMs = null;
    this.#settledAt = Infinity;
    if (this.tokens.dynamic) {
      const token = await this.#freshToken();
      if (opening !== this.#opening) return;
      if (token === null) return this.#closed(DROPPED, '');
    }
    try {
      this.#socket = new BoardSocket(this.#env, this.#options, this.#session, this.tokens.token, {
        open: () => this.leaving && this.#sendLeave(),
        frame: (data) => {
          this.#liveness.heard();
          this.#handlers.offline(false);
          this.#handlers.frame(data);
        },
        closed: (code, reason) => this.#lost(code, reason),
      });
      this.#answerTimer.start(CONNECT_WITHIN_MS);
    } catch (error) {
      this.#finish(DROPPED, String(error)); // a bad address or token stays bad
    }
  }

  /** @returns {Promise<string | null>} null when there is none, which the page is told */
  async #freshToken() {
    const opening = this.#opening;
    try {
      return await this.tokens.fetch();
    } catch (error) {
      if (opening === this.#opening) this.#handlers.failed('TOKEN_UNAVAILABLE', String(error));
      return null;
    }
  }

  async #renewToken() {
    const opening = this.#opening;
    const token = await this.#freshToken();
    if (opening !== this.#opening) return;
    if (token === null) this.tokens.refused();
    else this.send('auth:refresh', { token });
  }

  #sendLeave() {
    this.#leaveIsSent = true;
    this.send('board:leave', {});
  }

  #beat() {
    this.send('heartbeat', {});
    this.#handlers.asked();
  }

  // --- closing --------------------------------------------------------------

  /** The server does not answer on this socket, or somebody tries how that is: take a new one. */
  drop() {
    this.#socket?.close(CLOSE_AS_DROP);
    this.#lost(DROPPED, 'no answer');
  }

  /** @param {number} code  @param {string} reason */
  #lost(code, reason) {
    if (code === DROPPED) this.#reach.failed();
    this.#closed(code, reason);
  }

  /** @param {number} code  @param {string} reason */
  #closed(code, reason) {
    this.#detach();
    if (this.leaving) {
      this.#finish(1000, 'left');
      return;
    }
    const cured = code === UNAUTHORIZED && this.tokens.mayCure();
    const plan = cured ? START_OVER_WITH_TOKEN : planAfterClose(code, reason, this.#retryAfterMs);
    if (!plan.keepSession) this.#session.id = null;
    if (!plan.reconnect) {
      this.#finish(code, reason);
      return;
    }
    const wasStable = this.#env.now() - this.#settledAt >= STABLE_AFTER_MS;
    const retryInMs = this.#retry.plan(plan.waitMs, wasStable);
    const retryAt = this.#env.wallNow() + retryInMs;
    this.#handlers.status({ state: plan.full ? 'full' : 'reconnecting', code, retryAt, retryInMs });
  }

  #detach() {
    this.#socket?.close();
    this.#socket = null;
    this.#answerTimer.stop();
    this.#liveness.stop();
    this.tokens.stop();
    this.#handlers.detached();
  }

  /** @param {number} code  @param {string} reason */
  #finish(code, reason) {
    if (!this.running) return;
    const socket = this.#socket;
    this.#detach();
    if (this.leaving) {
      this.#session.forget();
      socket?.close(1000);
    }
    this.#opening += 1;
    this.#retry.stop();
    this.#leaveTimer.stop();
    this.#page.stop();
    this.running = false;
    this.#handlers.status({ state: 'closed', code, reason });
  }

  // --- the page -------------------------------------------------------------

  /** Back from the back/forward cache, where browsers close sockets. */
  #restored() {
    this.#session.claim();
    if (this.#socket?.isDead) this.#closed(DROPPED, '');
    this.#wake(0);
  }

  /**
   * The network or the page is back: end a wait that the server did not ask for,
   * and ask whether the socket still works.
   *
   * @param {number} quietMs  ask only after a silence this long
   */
  #wake(quietMs) {
    if (this.#retry.hurry()) this.#open();
    this.#liveness.probe(quietMs);
  }
}
