// What people do together at an element: they chat at their cursors, follow each other, and ask
// everybody to come. One for each <presence-cursors>; it is loaded on its first use.

import { element } from './presence-avatar.js';
import { Chat } from './presence-chat.js';
import { PRESENCE_COMPANY_CSS } from './presence-company-style.js';
import { Follower } from './presence-follower.js';
import { Leader } from './presence-leader.js';
import { Offers } from './presence-offers.js';
import { presenceOf } from './presence-people.js';
import { Sayings } from './presence-sayings.js';
import { hiddenOf } from './presence-space.js';
import { styleSheet } from './presence-sheet.js';
import { tell } from './presence-tell.js';
import { Viewport } from './presence-viewport.js';
import { Words } from './presence-words.js';

/** @typedef {import('./presence-client.js').PresenceClient} PresenceClient */
/** @typedef {import('./presence-replica.js').User} User */

/**
 * What it knows of its element.
 *
 * @typedef {object} Place
 * @property {import('./presence-cursors.js').PresenceCursors} host
 * @property {PresenceClient} client
 * @property {string} name  of the space, for everybody
 * @property {import('./presence-space.js').Space} space
 * @property {Element} target  whose space it is
 * @property {Element[]} clips  outside of these it is not seen
 * @property {() => [number, number] | null} cursor  one's own, as fractions of the space; null: it is nowhere
 * @property {(clientX: number, clientY: number) => void} point  move one's own cursor, in pixels of the window
 * @property {() => void} pointNowhere  take it away
 */

/** @type {import('./presence-words.js').Strings} */
export const COMPANY_ENGLISH = {
  following: 'Following {name}',
  stopFollowing: 'Stop following',
  followers: { one: '{count} follows you', other: '{count} follow you' },
  summons: '{name} asks everyone to come',
  accept: 'Go there',
  decline: 'Not now',
  summoning: 'You ask everyone to come to you',
  stopSummoning: 'Stop asking',
  say: 'Say something',
};

const UPDATE_AFTER_MS = 30;
/** What an earlier page of the same session may have left with the server. */
const NOTHING = { chat: undefined, viewport: undefined, following: undefined, summon: undefined };
/** @type {WeakSet<PresenceClient>} */
const begun = new WeakSet();

/** The parts that one element needs. */
export class Company {
  #place;
  #follower;
  #leader;
  #offers;
  #chat;
  #sayings = new Sayings();
  #listening = new AbortController();
  /** What can be seen of the element. */
  #seen = element('div', 'seen', '');
  #updating = 0;

  /**
   * @param {ShadowRoot} root
   * @param {Place} place
   */
  constructor(root, place) {
    Words.learn(COMPANY_ENGLISH);
    const { client, host } = place;
    this.#place = place;
    const sheet = styleSheet(PRESENCE_COMPANY_CSS);
    if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
    if (!begun.has(client) && client.status.resumed) tell(client, NOTHING);
    begun.add(client);
    root.append(this.#seen);
    const changed = () => {
      this.#soon();
      const detail = { following: this.following, summoning: this.summoning };
      host.dispatchEvent(new CustomEvent('presence-follow', { detail, bubbles: true, composed: true }));
    };
    const viewport = new Viewport(place.space, place.target);
    this.#follower = new Follower(this.#seen, place, viewport, changed);
    this.#leader = new Leader(this.#seen, place, viewport, changed);
    this.#offers = new Offers(this.#seen, place, (userId) => this.follow(userId));
    this.#chat = new Chat(root, place);
    const { signal } = this.#listening;
    for (const type of /** @type {const} */ (['users', 'state'])) client.addEventListener(type, () => this.#soon(), { signal });
    this.cover();
    this.#update();
  }

  /** Whose view is shown. @returns {string | null} */
  get following() {
    return this.#follower.userId;
  }

  get summoning() {
    return this.#leader.summoning;
  }

  get isChatting() {
    return this.#chat.isOpen;
  }

  /** @param {string | null} userId */
  follow(userId) {
    if (userId === null) this.#follower.stop();
    else this.#follower.follow(userId);
  }

  /** @param {boolean} on */
  summon(on) {
    this.#leader.summon(on);
  }

  chat() {
    if (this.#place.client.state === 'joined') this.#chat.open();
  }

  /**
   * One's own cursor has moved.
   *
   * @param {[number, number]} place  as fractions of the space
   */
  point(place) {
    this.#chat.move(place);
  }

  /**
   * Show what somebody says at their cursor.
   *
   * @param {import('./presence-cursor-view.js').CursorView} view
   * @param {User} user
   */
  say(view, user) {
    this.#sayings.show(view.element, presenceOf(user).chat);
  }

  /** The element is at another place in the window. */
  cover() {
    const measured = this.#place.space.measure();
    const { left, top, width, height } = measured;
    const outside = [-top, left + width - innerWidth, top + height - innerHeight, -left];
    const insets = hiddenOf(measured, this.#place.clips).map((hidden, side) => Math.max(hidden, outside[side]));
    this.#seen.style.inset = `${insets.join('px ')}px`;
    const cursor = this.#place.cursor();
    if (cursor) this.#chat.move(cursor);
  }

  end() {
    this.#listening.abort();
    clearTimeout(this.#updating);
    this.#follower.stop();
    this.#leader.end();
    this.#offers.end();
    this.#chat.end();
    this.#seen.remove();
  }

  /** However many events come. It is no frame, for a page in the background leads as well. */
  #soon() {
    this.#updating ||= window.setTimeout(() => this.#update(), UPDATE_AFTER_MS);
  }

  #update() {
    this.#updating = 0;
    // A lost connection comes back, and everything goes on.
    if (['reconnecting', 'connecting'].includes(this.#place.client.state)) return;
    this.#follower.update();
    this.#leader.update();
    this.#offers.update(this.#follower.userId);
  }
}
