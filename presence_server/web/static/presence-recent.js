// Those who left a short while ago. It is loaded when somebody leaves a bar that keeps them.

import { Words } from './presence-words.js';

/** @typedef {import('./presence-people.js').Person} Person */
/** @typedef {import('./presence-replica.js').User} User */

const MINUTE_MS = 60_000;
/** How often the words are looked at again. */
const TICK_MS = 15_000;

/** @type {import('./presence-words.js').Strings} */
export const RECENT_ENGLISH = { goneNow: 'Left just now', gone: 'Left {time}' };

Words.learn(RECENT_ENGLISH);

/** Remembers who left, and when. */
export class Recent {
  #changed;
  #ticking = 0;
  /** @type {Map<string, {user: User, at: number}>} */
  #left = new Map();

  /** @param {() => void} changed  the words are others now */
  constructor(changed) {
    this.#changed = changed;
  }

  /**
   * @param {User} user
   * @param {number} at  milliseconds since the epoch, by the server's clock
   */
  left(user, at) {
    this.#left.set(user.user_id, { user, at });
    this.#ticking ||= window.setInterval(this.#changed, TICK_MS);
    this.#changed();
  }

  /**
   * @param {ReadonlyMap<string, User>} here  who is there
   * @param {number} now  the same clock
   * @param {number} keepMs  how long they are shown
   * @param {Words} words
   * @returns {Person[]}
   */
  people(here, now, keepMs, words) {
    for (const [userId, { at }] of this.#left) if (here.has(userId) || now - at >= keepMs) this.#left.delete(userId);
    if (this.#left.size === 0) this.stop();
    return [...this.#left.values()].map(({ user, at }) => ({ ...user, connected: false, gone: ago(now - at, words) }));
  }

  stop() {
    clearInterval(this.#ticking);
    this.#ticking = 0;
    this.#left.clear();
  }
}

/**
 * @param {number} ms
 * @param {Words} words
 */
function ago(ms, words) {
  const minutes = Math.floor(ms / MINUTE_MS);
  if (minutes < 1) return words.say('goneNow');
  return words.say('gone', { time: new Intl.RelativeTimeFormat(words.locale, { style: 'short' }).format(-minutes, 'minute') });
}
