// Heartbeats, and noticing that the server does not answer them.

import { Timer } from './presence-environment.js';

/** @typedef {import('./presence-environment.js').Environment} Environment */

/** How long an answer may take. */
export const ANSWER_WITHIN_MS = 10_000;
// A timer this late was throttled, or the machine slept, and frames that arrived
// meanwhile may still be queued in the event loop.
const LATE_MS = 2_000;

/** Sends heartbeats and reports a server that is silent. */
export class Liveness {
  #env;
  #beat;
  #dead;
  #beatTimer;
  #answerTimer;
  #intervalMs = 0;
  #answerDueAt = Infinity;
  #lastHeardAt = 0;

  /**
   * @param {Environment} env
   * @param {() => void} beat  send a heartbeat
   * @param {() => void} dead  no frame came in time after a heartbeat
   */
  constructor(env, beat, dead) {
    this.#env = env;
    this.#beat = beat;
    this.#dead = dead;
    this.#beatTimer = new Timer(env, () => this.#ask());
    this.#answerTimer = new Timer(env, () => this.#unanswered());
  }

  /** @param {number} intervalMs  between heartbeats */
  start(intervalMs) {
    this.stop();
    this.#intervalMs = intervalMs;
    this.#lastHeardAt = this.#env.now();
    this.#beatTimer.start(intervalMs);
  }

  stop() {
    this.#beatTimer.stop();
    this.#answerTimer.stop();
    this.#answerDueAt = Infinity;
  }

  /** A frame of any kind came. */
  heard() {
    this.#lastHeardAt = this.#env.now();
    this.#answerTimer.stop();
    this.#answerDueAt = Infinity;
  }

  /**
   * Ask now, because the network or the page changed.
   *
   * @param {number} [unlessHeardWithinMs]
   */
  probe(unlessHeardWithinMs = 0) {
    if (!this.#beatTimer.running || this.#answerTimer.running) return;
    if (this.#env.now() - this.#lastHeardAt >= unlessHeardWithinMs) this.#ask();
  }

  #ask() {
    this.#beatTimer.start(this.#intervalMs);
    this.#beat();
    if (!this.#answerTimer.running) this.#await();
  }

  #await() {
    this.#answerDueAt = this.#env.now() + ANSWER_WITHIN_MS;
    this.#answerTimer.start(ANSWER_WITHIN_MS);
  }

  #unanswered() {
    if (this.#env.now() - this.#answerDueAt <= LATE_MS) {
      this.#dead();
      return;
    }
    this.#beatTimer.start(this.#intervalMs);
    this.#beat();
    this.#await();
  }
}
