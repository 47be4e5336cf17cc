// Decides how active the person at this page is: active, idle or away.

import { Timer } from './presence-environment.js';

/** @typedef {import('./presence-environment.js').Environment} Environment */
/** @typedef {'active' | 'idle' | 'away'} Activity */

/** @type {Record<Activity, number>} */
const ABSENCE = { active: 0, idle: 1, away: 2 };

const INPUT_EVENTS = ['pointermove', 'pointerdown', 'keydown', 'wheel', 'touchstart'];

// The server counts from the reports it gets, so during input the client sends
// one at least every half idle_after_s; a little sooner, because timers can be late.
const REPORT_FRACTION = 0.4;

/** A page may be hidden for so long, for a look at another tab, before its user is away. */
const HIDDEN_AFTER_MS = 3_000;

/** Watches the page's input and visibility. */
export class ActivityTracker {
  #env;
  #report;
  #timer;
  #hiddenAfterMs;
  #hiddenTimer;
  /** @type {AbortController | null} */
  #listening = null;
  // Until the server has told them, nobody is idle or away.
  #idleAfterMs = Infinity;
  #awayAfterMs = Infinity;
  /** @type {Activity} */
  #observed = 'active';
  /** @type {Activity | null} */
  #override = null;
  #lastInputAt;
  #lastReportAt = -Infinity;
  #hidden = false;
  #suspended = false;

  /**
   * @param {Environment} env
   * @param {number | undefined} hiddenAfterMs  how long the page may be hidden before the user is away
   * @param {(activity: Activity) => void} report  called when the activity
   *   changes, and again and again during input
   */
  constructor(env, hiddenAfterMs, report) {
    this.#env = env;
    this.#report = report;
    this.#timer = new Timer(env, () => this.#look());
    this.#hiddenAfterMs = hiddenAfterMs ?? HIDDEN_AFTER_MS;
    this.#hiddenTimer = new Timer(env, () => this.#disappeared());
    this.#lastInputAt = env.now();
  }

  /** What the others should be told now. @returns {Activity} */
  get activity() {
    const declared = this.#override ?? 'active';
    return ABSENCE[declared] > ABSENCE[this.#observed] ? declared : this.#observed;
  }

  /** Begin to watch the page; starting is itself a sign of activity. */
  start() {
    this.stop();
    this.#suspended = false;
    this.#lastInputAt = this.#env.now();
    this.#lastReportAt = -Infinity;
    this.#hidden = this.#env.document?.visibilityState === 'hidden';
    this.#observed = this.#hidden ? 'away' : 'active';
    this.#listening = new AbortController();
    this.#listen({ passive: true, capture: true, signal: this.#listening.signal });
    this.#arm();
  }

  stop() {
    this.#listening?.abort();
    this.#listening = null;
    this.#timer.stop();
    this.#hiddenTimer.stop();
  }

  /**
   * @param {number} idleAfterMs
   * @param {number} awayAfterMs
   */
  thresholds(idleAfterMs, awayAfterMs) {
    this.#idleAfterMs = idleAfterMs;
    this.#awayAfterMs = awayAfterMs;
    this.#arm();
  }

  /**
   * The person says so themselves; null goes back to watching the input.
   *
   * @param {Activity | null} activity
   */
  override(activity) {
    const before = this.activity;
    this.#override = activity === 'active' ? null : activity;
    if (this.activity !== before) this.#tell();
  }

  /** The person did something. Cheap enough for every event. */
  input() {
    if (this.#hidden || this.#suspended) return;
    const now = this.#env.now();
    this.#lastInputAt = now;
    if (this.#observed !== 'active') {
      this.#observed = 'active';
      this.#tell();
    } else if (now - this.#lastReportAt >= this.#reportEveryMs) {
      this.#tell();
    } else if (this.#lastReportAt + this.#reportEveryMs < this.#timer.dueAt) {
      this.#arm();
    }
  }

  /** Something else that the server counts as activity was sent. */
  reported() {
    this.#lastReportAt = this.#env.now();
  }

  /** @param {AddEventListenerOptions} options */
  #listen(options) {
    const { window, document } = this.#env;
    for (const type of INPUT_EVENTS) window?.addEventListener(type, () => this.input(), options);
    document?.addEventListener('visibilitychange', () => this.#visibility(), options);
    // A page that is left or reloaded turns hidden too, and must not show as "away".
    window?.addEventListener('pagehide', () => {
      this.#suspended = true;
      this.#timer.stop();
      this.#hiddenTimer.stop();
    }, options);
    window?.addEventListener('pageshow', (event) => {
      if (!(/** @type {PageTransitionEvent} */ (event).persisted)) return;
      this.#suspended = false;
      this.#visibility();
    }, options);
  }

  get #reportEveryMs() {
    return this.#idleAfterMs * REPORT_FRACTION;
  }

  #visibility() {
    if (this.#suspended) return;
    this.#hidden = this.#env.document?.visibilityState === 'hidden';
    if (this.#hidden) {
      this.#timer.stop();
      this.#hiddenTimer.start(this.#hiddenAfterMs);
    } else {
      this.#hiddenTimer.stop();
      this.input(); // the person brought the tab to the front
    }
  }

  #disappeared() {
    const before = this.activity;
    this.#observed = 'away';
    if (this.activity !== before) this.#tell();
  }

  #look() {
    const now = this.#env.now();
    const quietMs = now - this.#lastInputAt;
    const before = this.activity;
    if (quietMs >= this.#awayAfterMs) this.#observed = 'away';
    else if (quietMs >= this.#idleAfterMs) this.#observed = 'idle';
    const overdue =
      this.#observed === 'active' &&
      this.#lastInputAt > this.#lastReportAt &&
      now - this.#lastReportAt >= this.#reportEveryMs;
    if (this.activity !== before || overdue) this.#tell();
    else this.#arm();
  }

  #tell() {
    this.#lastReportAt = this.#env.now();
    this.#report(this.activity);
    this.#arm();
  }

  #arm() {
    this.#timer.stop();
    if (this.#listening === null || this.#hidden || this.#suspended) return;
    let at = Infinity;
    if (this.#observed === 'active') {
      at = this.#lastInputAt + this.#idleAfterMs;
      if (this.#lastInputAt > this.#lastReportAt && this.#lastReportAt > -Infinity) {
        at = Math.min(at, this.#lastReportAt + this.#reportEveryMs);
      }
    } else if (this.#observed === 'idle') {
      at = this.#lastInputAt + this.#awayAfterMs;
    }
    if (at < Infinity) this.#timer.start(at - this.#env.now());
  }
}
