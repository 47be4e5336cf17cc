// The card of a person: who it is, how they are, since when, and what the page adds.

import { CardAction } from './presence-card-action.js';
import { avatarOf, element, paint, set, setText } from './presence-avatar.js';
import { nameOf } from './presence-name.js';
import { giveBack, Placement } from './presence-placement.js';

/** @typedef {import('./presence-people.js').Person} Person */
/** @typedef {import('./presence-people.js').Shown} Shown */

/** A popover beside the avatar, or the row, of its person. */
export class Card {
  /** Whose card is open. @type {string | null} */
  userId = null;
  #panel;
  #root;
  #placement;
  /** @type {HTMLElement | null} */
  #button = null;
  #who = element('div', 'who', '');
  #avatar = avatarOf('span');
  #name = element('span', 'name', '');
  #word = element('span', 'word', '');
  #facts = element('ul', 'facts', '');
  #close = /** @type {HTMLButtonElement} */ (element('button', 'close', '×'));
  #action;
  #slot = /** @type {HTMLSlotElement} */ (element('slot', '', ''));
  /** The fields that the card shows. */
  #look = '';
  #hadFocus = false;

  /**
   * @param {HTMLElement} panel  the popover
   * @param {ShadowRoot} root
   * @param {() => import('./presence-guide.js').Guide | null} guide  who can follow people
   */
  constructor(panel, root, guide) {
    this.#panel = panel;
    this.#root = root;
    this.#placement = new Placement(panel);
    this.#action = new CardAction(guide, () => panel.hidePopover());
    const text = element('span', 'text', '');
    set(this.#avatar, { 'aria-hidden': 'true' });
    set(this.#word, { part: 'status' });
    set(this.#facts, { part: 'facts', role: 'list' });
    set(this.#close, { part: 'close', type: 'button' });
    set(this.#slot, { name: 'card' });
    text.append(this.#name, this.#word);
    this.#who.append(this.#avatar, text);
    panel.append(this.#who, this.#facts, this.#action.button, this.#slot, this.#close);
    this.#close.addEventListener('click', () => panel.hidePopover());
    this.#slot.addEventListener('slotchange', () => this.#fill());
    panel.addEventListener('beforetoggle', (event) => {
      if (/** @type {ToggleEvent} */ (event).newState === 'closed') this.#hadFocus = panel.matches(':focus-within');
    });
    panel.addEventListener('toggle', (event) => {
      if (/** @type {ToggleEvent} */ (event).newState === 'closed') this.#closed();
    });
  }

  /**
   * @param {Person} user
   * @param {Shown} shown
   * @param {HTMLElement} button  of the bar, or in the list
   */
  open(user, shown, button) {
    if (this.userId !== null) this.#panel.hidePopover();
    this.#leave();
    const list = button.closest('[popover]');
    // A popover inside another one does not close it.
    (list ?? this.#root).append(this.#panel);
    this.userId = user.user_id;
    this.#button = button;
    button.style.setProperty('anchor-name', '--presence-card');
    set(button, { 'aria-expanded': 'true' });
    this.#look = '';
    this.draw(shown);
    this.#panel.showPopover();
    this.#placement.start(button);
    this.#panel.focus({ preventScroll: true });
  }

  /** @param {Shown} shown */
  draw(shown) {
    if (this.userId === null) return;
    const user = shown.users.find((each) => each.user_id === this.userId);
    if (!user || !this.#button?.isConnected) return this.#panel.hidePopover();
    this.#action.draw(user, shown);
    const { words } = shown;
    const time = (/** @type {number} */ at) => timeOf(at, shown.now, words.locale);
    const status = words.status(user);
    const since = user.gone ? null : shown.since(user);
    const more = shown.badges?.factsOf(user, words) ?? [];
    const look = JSON.stringify([user, since, words.lang, shown.selfId, more]);
    if (look === this.#look) return;
    this.#look = look;
    paint(this.#who, this.#avatar, user, shown);
    this.#name.replaceChildren(...nameOf(user, shown));
    setText(this.#word, since === null ? status : words.say('statusSince', { status, time: time(since) }));
    const facts = [...more, words.say('hereSince', { time: time(user.joined_at) })];
    this.#facts.replaceChildren(...facts.map((fact) => {
      const item = element('li', '', fact);
      item.dir = 'auto';
      return item;
    }));
    set(this.#close, { 'aria-label': words.say('close') });
    set(this.#panel, { lang: words.lang, 'aria-label': words.name(user, shown.selfId) });
  }

  #fill() {
    this.#slot.className = this.#slot.assignedNodes().length > 0 ? 'filled' : '';
  }

  #closed() {
    if (this.#panel.matches(':popover-open')) return; // It has opened again, beside somebody else.
    const button = this.#button;
    this.#leave();
    this.#placement.stop();
    if (this.#hadFocus) giveBack(this.#panel, button);
  }

  #leave() {
    this.#button?.style.removeProperty('anchor-name');
    if (this.#button) set(this.#button, { 'aria-expanded': 'false' });
    this.#button = null;
    this.userId = null;
  }
}

/**
 * @param {number} at  milliseconds since the epoch
 * @param {number} now  the same
 * @param {string} locale
 * @returns {string} the time, with the date if that is not today's
 */
function timeOf(at, now, locale) {
  const day = new Intl.DateTimeFormat(locale, { dateStyle: 'medium' });
  const dateStyle = day.format(at) === day.format(now) ? undefined : 'medium';
  return new Intl.DateTimeFormat(locale, { dateStyle, timeStyle: 'short' }).format(at);
}
