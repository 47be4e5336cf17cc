// What opens from the presence bar: the list of everyone, the card of a person and the
// name under the pointer. It is loaded when somebody comes near the bar.

import { element, set } from './presence-avatar.js';
import { Card } from './presence-card.js';
import { guideOf } from './presence-guide.js';
import { PeopleList } from './presence-list.js';
import { PRESENCE_PANELS_CSS } from './presence-panels-style.js';
import { styleSheet } from './presence-sheet.js';
import { Tip } from './presence-tip.js';
import { Words } from './presence-words.js';

/** @typedef {import('./presence-people.js').Person} Person */
/** @typedef {import('./presence-people.js').Shown} Shown */

/**
 * What the panels ask of the bar.
 *
 * @typedef {object} Host
 * @property {() => Shown} shown
 * @property {() => import('./presence-client.js').PresenceClient | null} client
 * @property {(user: Person) => boolean} select  somebody was chosen; false: show no card
 */

/** @type {import('./presence-words.js').Strings} */
export const PANEL_ENGLISH = {
  everyone: 'Everyone on this board',
  here: { one: '{count} person here', other: '{count} people here' },
  search: 'Search by name',
  found: '{found} of {count}',
  close: 'Close',
  follow: 'Follow',
  summon: 'Bring everyone to me',
  statusSince: '{status} since {time}',
  hereSince: 'Here since {time}',
};

/** The panels of one bar. */
export class Panels {
  list;
  tip;
  #card;
  #host;
  /** Whose card the pointer, pressed on an avatar, has just closed. @type {string | null} */
  #closing = null;

  /**
   * @param {ShadowRoot} root
   * @param {HTMLButtonElement} more  opens the list
   * @param {Host} host
   */
  constructor(root, more, host) {
    Words.learn(PANEL_ENGLISH);
    this.#host = host;
    const tip = element('div', 'tip', '');
    const list = element('div', 'panel list', '');
    const card = element('div', 'panel card', '');
    set(tip, { part: 'tip', popover: 'manual', 'aria-hidden': 'true' });
    set(list, { part: 'list', popover: 'auto', role: 'dialog', 'data-testid': 'presence-list' });
    set(card, { part: 'card', popover: 'auto', role: 'dialog', tabindex: '-1', 'data-testid': 'presence-card' });
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, styleSheet(PRESENCE_PANELS_CSS)];
    root.append(tip, list, card);
    this.tip = new Tip(tip);
    this.#card = new Card(card, root, () => guideOf(host.client()));
    this.list = new PeopleList(list, more, {
      shown: host.shown,
      choose: (userId, button) => this.choose(userId, button),
    });
    root.addEventListener('pointerdown', () => (this.#closing = this.#card.userId), { capture: true });
  }

  get isOpen() {
    return this.list.isOpen || this.#card.userId !== null;
  }

  /** @param {Shown} shown */
  draw(shown) {
    if (this.list.isOpen) this.list.draw(shown);
    this.#card.draw(shown);
  }

  /**
   * Show who is under the pointer.
   *
   * @param {string} userId
   * @param {Element} item
   */
  point(userId, item) {
    const shown = this.#host.shown();
    const user = shown.users.find((each) => each.user_id === userId);
    if (user && item.matches(':hover') && this.#card.userId !== userId) this.tip.show(user, shown, item);
  }

  /**
   * Somebody was chosen: the card opens, unless it was open, or the page does something of its own.
   *
   * @param {string} userId
   * @param {HTMLElement} button
   */
  choose(userId, button) {
    const wasOpen = this.#closing === userId;
    this.#closing = null;
    const shown = this.#host.shown();
    const user = shown.users.find((each) => each.user_id === userId);
    this.tip.hide();
    if (user && !wasOpen && this.#host.select(user)) this.#card.open(user, shown, button);
  }
}
