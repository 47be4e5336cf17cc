// The access token of JWT mode: where it comes from, and renewing it in time.

import { Timer } from './presence-environment.js';

/** @typedef {import('./presence-environment.js').Environment} Environment */
/** @typedef {import('./presence-clock.js').ServerClock} ServerClock */
/** @typedef {() => string | Promise<string>} GetToken */

const FETCH_WITHIN_MS = 15_000;
// Timers of hidden tabs fire about once a minute, so a lead of a minute is not enough.
const LEAD_MS = 150_000;
const MIN_WAIT_MS = 1_000;
/** So many different tokens of the application may be refused in a row; then it stays refused. */
const FRESH_TOKENS = 5;
/** An application that gives the same token again may keep it until it expires by its own clock. */
const SAME_TOKEN = 20;

/** Holds the token of a connection and plans its renewal. */
export class TokenKeeper {
  #env;
  #clock;
  #getToken;
  #renew;
  #token;
  #timer;
  /** @type {number | null} */
  #expiresAt = null;
  /** The token that was refused last. @type {string | null} */
  #refused = null;
  #refusedFresh = 0;
  #refusedAgain = 0;

  /**
   * @param {Environment} env
   * @param {{token?: string, getToken?: GetToken}} source
   * @param {ServerClock} clock
   * @param {() => void} renew  called when it is time to send a new token
   */
  constructor(env, { token, getToken }, clock, renew) {
    this.#env = env;
    this.#clock = clock;
    this.#token = token ?? null;
    this.#getToken = getToken ?? null;
    this.#renew = renew;
    this.#timer = new Timer(env, () => this.#due());
  }

  /** Whether {@link fetch} has to be awaited. */
  get dynamic() {
    return this.#getToken !== null;
  }

  /** @param {string} token  what the application has instead of the old one */
  replace(token) {
    this.#token = token;
  }

  /** The token to connect with when it is not dynamic. */
  get token() {
    return this.#token;
  }

  /**
   * A fresh token from the application, within 15 s.
   *
   * @returns {Promise<string>}
   */
  async fetch() {
    const getToken = /** @type {GetToken} */ (this.#getToken);
    /** @type {Timer | null} */
    let timer = null;
    const late = new Promise((_resolve, reject) => {
      timer = new Timer(this.#env, () => reject(new Error('getToken took too long')));
      timer.start(FETCH_WITHIN_MS);
    });
    try {
      const token = await Promise.race([getToken(), late]);
      if (typeof token !== 'string' || token === '') throw new TypeError('getToken gave no token');
      this.#token = token;
      return token;
    } finally {
      /** @type {Timer | null} */ (timer)?.stop();
    }
  }

  /**
   * The server accepted the token; plan its renewal.
   *
   * @param {number | null} [expiresAt]  milliseconds since the epoch; without
   *   it, what the token itself says
   */
  accepted(expiresAt = this.#token === null ? null : expiryOf(this.#token)) {
    this.#expiresAt = expiresAt;
    this.#refused = null;
    this.#refusedFresh = 0;
    this.#refusedAgain = 0;
    this.#schedule();
  }

  /**
   * The server closed the connection because of its token.
   *
   * @returns {boolean} whether a newer one may cure that: the old one may have expired
   *   while the machine slept, or in the application's cache
   */
  mayCure() {
    if (!this.dynamic) return false;
    if (this.#token === this.#refused) this.#refusedAgain += 1;
    else this.#refusedFresh += 1;
    this.#refused = this.#token;
    return this.#refusedFresh < FRESH_TOKENS && this.#refusedAgain < SAME_TOKEN;
  }

  /** The renewal failed and the old token stands: try again before it expires. */
  refused() {
    if (!this.#timer.running) this.#schedule();
  }

  stop() {
    this.#timer.stop();
  }

  #schedule() {
    this.#timer.stop();
    if (!this.dynamic || this.#expiresAt === null) return;
    const leftMs = this.#expiresAt - this.#clock.now;
    if (leftMs <= 0) return; // the server is about to say so
    this.#timer.start(Math.max(MIN_WAIT_MS, leftMs - Math.min(LEAD_MS, leftMs / 2)));
  }

  #due() {
    const leftMs = (this.#expiresAt ?? 0) - this.#clock.now;
    if (leftMs > 2 * LEAD_MS) this.#schedule(); // the wait was longer than a timer can be
    else this.#renew();
  }
}

/**
 * Read when a JWT expires, without verifying it: the server does that.
 *
 * @param {string} token
 * @returns {number | null} milliseconds since the epoch
 */
export function expiryOf(token) {
  const { exp } = claimsOf(token);
  return typeof exp === 'number' && Number.isFinite(exp) ? exp * 1000 : null;
}

/**
 * @param {string} token
 * @returns {{exp?: unknown, sub?: unknown}} nothing for what is not a JWT
 */
export function claimsOf(token) {
  try {
    const body = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    return JSON.parse(atob(body)) ?? {};
  } catch {
    return {};
  }
}
