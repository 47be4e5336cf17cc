// What this client tells the board about its user: at most one cursor message
// per interval, the newest value wins, and nothing gets lost over a reconnect.

import { Timer } from './presence-environment.js';

/** @typedef {import('./presence-environment.js').Environment} Environment */
/** @typedef {{x: number, y: number} | null} Cursor */
/** @typedef {{status?: string, cursor?: Cursor, metadata?: object | null}} Update */

/** The newest values that the page has set, and when to send them. */
export class Outgoing {
  #env;
  #send;
  #intervalMs;
  #timer;
  #open = false;
  #nextCursorAt = 0;
  /** @type {Update} */
  #unsent = {};
  /** @type {Update} */
  #wanted = {};

  /**
   * @param {Environment} env
   * @param {number} intervalMs  between two cursor messages
   * @param {(update: Update) => boolean} send  false: the socket is congested
   */
  constructor(env, intervalMs, send) {
    this.#env = env;
    this.#intervalMs = intervalMs;
    this.#send = send;
    this.#timer = new Timer(env, () => this.#cursorDue());
  }

  /**
   * The session is on the board; send what the server does not know.
   *
   * @param {boolean} resumed  the server still knows what was sent before
   * @param {string | null} status  to go with it
   */
  opened(resumed, status) {
    this.#open = true;
    this.#nextCursorAt = 0;
    const update = resumed ? this.#unsent : { ...this.#wanted };
    if (!resumed && update.cursor === null) delete update.cursor;
    if (status !== null) update.status = status;
    this.#unsent = update;
    this.#flush();
  }

  /** The session is off the board; keep what is not sent yet. */
  closed() {
    this.#open = false;
    this.#timer.stop();
    delete this.#unsent.status; // the status is computed anew on joining
  }

  /** The user left, and the cursor is gone with them. */
  left() {
    this.closed();
    this.#unsent = {};
    delete this.#wanted.cursor;
  }

  /** @param {string} status */
  status(status) {
    if (!this.#open) return;
    this.#unsent.status = status;
    this.#flush();
  }

  /** @param {object | null} metadata */
  metadata(metadata) {
    this.#wanted.metadata = metadata;
    this.#unsent.metadata = metadata;
    if (this.#open) this.#flush();
  }

  /** @param {Cursor} cursor */
  cursor(cursor) {
    this.#wanted.cursor = cursor;
    this.#unsent.cursor = cursor;
    if (!this.#open || this.#timer.running) return;
    this.#cursorDue();
  }

  /**
   * The server asked to send nothing for a while.
   *
   * @param {number} delayMs
   */
  pause(delayMs) {
    this.#nextCursorAt = Math.max(this.#nextCursorAt, this.#env.now() + delayMs);
    if (this.#open && this.#unsent.cursor !== undefined) {
      this.#timer.start(this.#nextCursorAt - this.#env.now());
    }
  }

  #cursorDue() {
    const waitMs = this.#nextCursorAt - this.#env.now();
    if (waitMs > 0) this.#timer.start(waitMs);
    else if (this.#unsent.cursor !== undefined) this.#flush();
  }

  #flush() {
    if (Object.keys(this.#unsent).length === 0) return;
    const now = this.#env.now();
    const hadCursor = this.#unsent.cursor !== undefined;
    if (this.#send(this.#unsent)) this.#unsent = {};
    if (!hadCursor && this.#unsent.cursor === undefined) return;
    this.#nextCursorAt = Math.max(this.#nextCursorAt, now + this.#intervalMs);
    if (this.#unsent.cursor !== undefined) this.#timer.start(this.#intervalMs);
  }
}
