// The newest values that the page has set, and when to send them. They go out in
// one message at a time, no faster than the server takes them, and are sent again
// until the server has them: it drops what is too fast, and a socket that breaks
// loses what was on its way.

import { Timer } from './presence-environment.js';

/** @typedef {import('./presence-environment.js').Environment} Environment */
/** @typedef {import('./presence-replica.js').User} User */
/** @typedef {{x: number, y: number} | null} Cursor */
/** @typedef {{display_name?: string | null, avatar_url?: string | null, color?: string | null}} ProfileChange */
/** @typedef {{status?: string, cursor?: Cursor, metadata?: object | null, profile?: ProfileChange}} Update */
/** @typedef {keyof Update} Field */

/**
 * A value that was sent and may not have arrived.
 *
 * @typedef {object} Unconfirmed
 * @property {any} value
 * @property {number} number  of the message that carried it
 * @property {boolean} doubtful  the server may have dropped it without a word
 */

/**
 * @typedef {object} Server
 * @property {(update: Update) => boolean} send  false: the socket is congested
 * @property {() => User | null} self  the user as the server shows it to everybody
 * @property {() => void} ask  send a heartbeat, unless one is not answered yet
 */

/** An update is confirmed this long after the last one, when nothing changes any more. */
const CONFIRM_AFTER_MS = 1_000;
/** The server reports that it drops messages at most once a second, and after that is silent. */
const SILENT_DROPS_MS = 1_500;
const DEFAULT_RETRY_AFTER_MS = 1_000;

/** Sends the newest value of each field, and keeps it until the server has it. */
export class Outgoing {
  #env;
  #server;
  #shortestMs;
  #intervalMs;
  #sendTimer;
  #confirmTimer;
  #open = false;
  #nextAt = -Infinity;
  /** @type {Update} */
  #wanted = {};
  /** @type {Update} */
  #unsent = {};
  /** @type {Map<Field, Unconfirmed>} */
  #unconfirmed = new Map();
  /** Of the message that was sent last. */
  #number = 0;
  /** For each heartbeat without an answer: the message that was sent last before it, and when. @type {{number: number, at: number}[]} */
  #asked = [];
  #doubtfulUntil = -Infinity;

  /**
   * @param {Environment} env
   * @param {number | undefined} intervalMs  the page's own wish: not faster than this
   * @param {Server} server
   */
  constructor(env, intervalMs, server) {
    this.#env = env;
    this.#server = server;
    this.#shortestMs = intervalMs ?? 0;
    this.#intervalMs = this.#shortestMs;
    this.#sendTimer = new Timer(env, () => this.#flush());
    this.#confirmTimer = new Timer(env, () => this.#confirm());
  }

  /** @param {number} updatesPerS  the pace that the server asks for */
  pace(updatesPerS) {
    this.#intervalMs = Math.max(this.#shortestMs, 1000 / updatesPerS);
  }

  /**
   * The session is on the board; send what the server does not know.
   *
   * @param {boolean} resumed  the server still knows what it was sent before
   * @param {string | null} status  to go with it
   */
  opened(resumed, status) {
    this.#open = true;
    this.#nextAt = -Infinity;
    if (resumed) {
      this.#sendAgain(({ value }, field) => !this.#shows(field, value));
    } else {
      this.#unsent = { ...this.#wanted };
      if (this.#unsent.cursor === null) delete this.#unsent.cursor;
    }
    this.#unconfirmed.clear();
    if (status !== null) this.#unsent.status = status;
    this.#flush();
  }

  /** The user is about to leave: send what is left, for the user's other tabs. */
  leaving() {
    this.#sendTimer.stop();
    this.#nextAt = -Infinity;
    this.#flush();
  }

  /** The session is off the board; keep what is not sent yet, or may be lost. */
  closed() {
    this.#open = false;
    this.#sendTimer.stop();
    this.#confirmTimer.stop();
    this.#asked = [];
    // The status is computed anew on joining.
    delete this.#unsent.status;
    this.#unconfirmed.delete('status');
  }

  /** The user left, and the cursor is gone with them. */
  left() {
    this.closed();
    this.#unsent = {};
    this.#unconfirmed.clear();
    delete this.#wanted.cursor;
  }

  /** @param {string} status */
  status(status) {
    if (this.#open) this.#set({ status });
  }

  /** @param {object | null} metadata */
  metadata(metadata) {
    this.#wanted.metadata = metadata;
    this.#set({ metadata });
  }

  /**
   * The metadata as the server has them once all is sent: those of another tab may be newer.
   *
   * @returns {any}
   */
  get newestMetadata() {
    const self = this.#server.self();
    const isOnItsWay = 'metadata' in this.#unsent || this.#unconfirmed.has('metadata');
    return isOnItsWay || self === null ? (this.#wanted.metadata ?? null) : self.metadata;
  }

  /** @param {Cursor} cursor */
  cursor(cursor) {
    this.#wanted.cursor = cursor;
    this.#set({ cursor });
  }

  /** @param {ProfileChange} changes  added to those before, which a new session may not know either */
  profile(changes) {
    this.#wanted.profile = { ...this.#wanted.profile, ...changes };
    this.#set({ profile: this.#wanted.profile });
  }

  /** A heartbeat was sent. The server answers it after everything that was sent before. */
  asked() {
    this.#asked.push({ number: this.#number, at: this.#env.now() });
  }

  /**
   * The oldest heartbeat was answered.
   *
   * @returns {number} how many milliseconds that took
   */
  answered() {
    const now = this.#env.now();
    const { number: last, at } = this.#asked.shift() ?? { number: 0, at: now };
    this.#sendAgain(({ number, doubtful }) => number <= last && doubtful);
    for (const [field, { number }] of this.#unconfirmed) {
      if (number <= last) this.#unconfirmed.delete(field);
    }
    this.#flush();
    return now - at;
  }

  /**
   * The server sent an error.
   *
   * @param {unknown} code
   * @param {number | null} retryAfterMs  what it asks to wait
   */
  failed(code, retryAfterMs) {
    if (code === 'RATE_LIMITED') this.#limited(retryAfterMs ?? DEFAULT_RETRY_AFTER_MS);
    // What the server calls bad is not sent again.
    if (code === 'INVALID_MESSAGE' || code === 'MESSAGE_TOO_BIG') this.#unconfirmed.clear();
    // The token does not allow it, or the server is too old to know it.
    if (code === 'FORBIDDEN' || code === 'UNKNOWN_EVENT') {
      delete this.#wanted.profile;
      delete this.#unsent.profile;
      this.#unconfirmed.delete('profile');
    }
  }

  /** @param {number} delayMs */
  #limited(delayMs) {
    const now = this.#env.now();
    this.#doubtfulUntil = now + SILENT_DROPS_MS;
    this.#nextAt = Math.max(this.#nextAt, now + delayMs);
    this.#sendTimer.stop();
    this.#sendAgain(() => true);
    this.#flush();
  }

  /** @param {Update} update */
  #set(update) {
    Object.assign(this.#unsent, update);
    this.#flush();
  }

  #flush() {
    if (!this.#open || this.#sendTimer.running || Object.keys(this.#unsent).length === 0) return;
    const now = this.#env.now();
    if (now < this.#nextAt) {
      this.#sendTimer.start(this.#nextAt - now);
      return;
    }
    this.#nextAt = now + this.#intervalMs;
    if (!this.#server.send(this.#unsent)) {
      this.#sendTimer.start(this.#intervalMs);
      return;
    }
    this.#number += 1;
    const sent = { number: this.#number, doubtful: now < this.#doubtfulUntil };
    for (const [field, value] of Object.entries(this.#unsent)) {
      this.#unconfirmed.set(/** @type {Field} */ (field), { value, ...sent });
    }
    this.#unsent = {};
    this.#confirmTimer.start(CONFIRM_AFTER_MS);
  }

  #confirm() {
    for (const [field, { value }] of this.#unconfirmed) {
      if (this.#shows(field, value)) this.#unconfirmed.delete(field);
    }
    if (this.#unconfirmed.size === 0) return;
    // Another tab may have set another value since, or this one did not arrive.
    this.#server.ask();
    this.#confirmTimer.start(CONFIRM_AFTER_MS);
  }

  /**
   * @param {Field} field
   * @param {any} value
   */
  #shows(field, value) {
    const self = /** @type {Record<string, any> | null} */ (this.#server.self());
    if (field === 'profile') return Object.keys(value).every((name) => self?.[name] === value[name]);
    const sent = value === 'active' ? 'online' : value;
    return self !== null && JSON.stringify(self[field]) === JSON.stringify(sent);
  }

  /** @param {(sent: Unconfirmed, field: Field) => boolean} isLost */
  #sendAgain(isLost) {
    for (const [field, sent] of this.#unconfirmed) {
      if (!isLost(sent, field)) continue;
      this.#unconfirmed.delete(field);
      if (!(field in this.#unsent)) this.#unsent[field] = sent.value;
    }
  }
}
