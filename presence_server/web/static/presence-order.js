// In which order people are shown: oneself, raised hands, then the more active first.

import { presenceOf } from './presence-people.js';

/** @typedef {import('./presence-people.js').Person} Person */

/** Nobody moves more often: what jumps under the pointer cannot be clicked. */
const SETTLE_MS = 1_500;

/** @type {Record<string, number>} */
const STATUS_RANKS = { online: 2, idle: 3, away: 4 };

/** Sorts people; a change of status moves its person a little later, and nobody while somebody looks. */
export class Order {
  #changed;
  #isHeld;
  #timer = 0;
  /** @type {Map<string, number>} */
  #ranks = new Map();

  /**
   * @param {() => void} changed  the order is another one now
   * @param {() => boolean} isHeld  whether everybody stays where they are
   */
  constructor(changed, isHeld) {
    this.#changed = changed;
    this.#isHeld = isHeld;
  }

  /**
   * @param {Iterable<Person>} users
   * @param {string | null} selfId
   * @returns {Person[]}
   */
  sort(users, selfId) {
    const sorted = [...users];
    const ranks = new Map();
    for (const user of sorted) {
      const rank = rankOf(user, selfId);
      const old = this.#ranks.get(user.user_id) ?? rank;
      ranks.set(user.user_id, old);
      if (old !== rank) this.#timer ||= window.setTimeout(() => this.#settle(), SETTLE_MS);
    }
    this.#ranks = ranks;
    return sorted.sort(
      (a, b) =>
        ranks.get(a.user_id) - ranks.get(b.user_id) || a.joined_at - b.joined_at || (a.user_id < b.user_id ? -1 : 1),
    );
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
  }

  #settle() {
    this.#timer = 0;
    if (!this.#isHeld()) this.#ranks.clear();
    this.#changed();
  }
}

/**
 * @param {Person} user
 * @param {string | null} selfId
 * @returns {number} lower is earlier
 */
function rankOf(user, selfId) {
  if (user.gone) return 6;
  if (user.user_id === selfId) return 0;
  if (!user.connected) return 5;
  return presenceOf(user).hand ? 1 : (STATUS_RANKS[user.status] ?? 4);
}
