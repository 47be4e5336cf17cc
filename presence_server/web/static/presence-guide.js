// Which element of the page can follow people: the presence bar asks, to offer it on a card.

/** @typedef {import('./presence-client.js').PresenceClient} PresenceClient */

/**
 * An element that can follow people on the board of its client. When `following` or
 * `summoning` has changed it sends the event `presence-follow`.
 *
 * @typedef {object} Following
 * @property {string | null} following  whose view it shows
 * @property {boolean} summoning  whether everybody is asked to come
 * @property {(userId: string | null) => void} follow  null: nobody any more
 * @property {(on?: boolean) => void} summon  ask everybody to come, or do not any more
 *
 * @typedef {Following & HTMLElement} Guide
 */

/**
 * @param {PresenceClient | null} client
 * @returns {Guide | null} the first one; null: there is none
 */
export function guideOf(client) {
  /** @type {{guide: Guide | null}} */
  const detail = { guide: null };
  // An element answers at once, also one of another copy of this library.
  client?.dispatchEvent(new CustomEvent('guide', { detail }));
  return detail.guide;
}
