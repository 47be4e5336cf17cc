// The list of everyone, in a popover that opens where there is room.

import { avatarOf, element, paint, place, set, setText } from './presence-avatar.js';
import { nameOf } from './presence-name.js';
import { giveBack, Placement } from './presence-placement.js';
import { Roving } from './presence-roving.js';
import { Search } from './presence-search.js';

/** @typedef {import('./presence-people.js').Person} Person */
/** @typedef {import('./presence-people.js').Shown} Shown */

/**
 * @typedef {object} ListHost
 * @property {() => Shown} shown
 * @property {(userId: string, button: HTMLElement) => void} choose
 */

/**
 * One person.
 *
 * @typedef {object} Row
 * @property {HTMLLIElement} item
 * @property {HTMLElement} button
 * @property {HTMLElement} avatar
 * @property {HTMLElement} name
 * @property {HTMLElement} place
 * @property {HTMLElement} word
 * @property {Person | null} user  as it was drawn
 */

/** How far a key goes, in rows. */
const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8, End: Infinity, Home: -Infinity };

/** Draws people into a popover; a row stays the same element while its person is there. */
export class PeopleList {
  #panel;
  #button;
  #host;
  #placement;
  #title = element('bdi', '', '');
  #items = element('ul', 'rows', '');
  #search;
  #keys;
  /** @type {Map<string, Row>} */
  #rows = new Map();
  /** With which words and badges the rows were drawn. @type {unknown[]} */
  #drawnWith = [];
  /** Whether the keyboard was in the list when it closed. */
  #hadFocus = false;

  /**
   * @param {HTMLElement} panel  the popover
   * @param {HTMLButtonElement} button  opens it
   * @param {ListHost} host
   */
  constructor(panel, button, host) {
    this.#panel = panel;
    this.#button = button;
    this.#host = host;
    this.#placement = new Placement(panel);
    this.#keys = new Roving(this.#items, STEPS);
    this.#search = new Search(() => this.draw(host.shown()));
    this.#items.setAttribute('role', 'list');
    const head = element('div', 'head', '');
    const title = element('h2', '', '');
    title.append(this.#title);
    head.append(title, this.#search.input);
    panel.append(head, this.#items);
    button.popoverTargetElement = panel;
    panel.addEventListener('beforetoggle', (event) => this.#toggles(event));
    panel.addEventListener('toggle', (event) => this.#toggled(event));
    panel.addEventListener('keydown', (event) => this.#search.key(event, this.#keys.current));
    this.#items.addEventListener('click', (event) => {
      const chosen = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest('button'));
      if (chosen) host.choose(chosen.dataset.listUserId ?? '', chosen);
    });
  }

  get isOpen() {
    return this.#panel.matches(':popover-open');
  }

  open() {
    this.#panel.showPopover();
  }

  /** @param {Shown} shown */
  draw(shown) {
    const { users, count, words, badges } = shown;
    if (words !== this.#drawnWith[0] || badges !== this.#drawnWith[1]) for (const row of this.#rows.values()) row.user = null;
    this.#drawnWith = [words, badges];
    set(this.#panel, { lang: words.lang, 'aria-label': words.say('everyone') });
    set(this.#items, { 'aria-label': words.say('everyone') });
    this.#search.draw(count, words);
    // First, so that the rows that stay are not moved.
    const here = new Set(users.map((user) => user.user_id));
    for (const [userId, { item, button }] of this.#rows) {
      if (here.has(userId)) continue;
      this.#keys.leave(button);
      item.remove();
      this.#rows.delete(userId);
    }
    let found = 0;
    const items = users.map((user) => {
      const row = this.#rowOf(user);
      const isFound = this.#search.finds(user.display_name);
      if (row.item.hidden === isFound) row.item.hidden = !isFound;
      if (isFound) found += 1;
      this.#drawRow(row, user, shown);
      return row.item;
    });
    place(this.#items, items);
    this.#keys.check();
    setText(this.#title, this.#search.text ? words.say('found', { found, count }) : words.say('here', { count }));
  }

  /**
   * @param {Row} row
   * @param {Person} user
   * @param {Shown} shown
   */
  #drawRow(row, user, shown) {
    if (row.user === user) return;
    const { user: old } = row;
    row.user = user;
    paint(row.item, row.avatar, user, shown);
    if (old?.display_name !== user.display_name) row.name.replaceChildren(...nameOf(user, shown));
    setText(row.word, shown.words.status(user));
    setText(row.place, shown.badges?.locationOf(user) ?? '');
  }

  /** @param {Person} user  @returns {Row} */
  #rowOf({ user_id }) {
    const known = this.#rows.get(user_id);
    if (known) return known;
    const item = document.createElement('li');
    const button = element('button', 'item', '');
    set(item, { 'data-testid': 'presence-list-user' });
    set(button, { part: 'item', type: 'button', tabindex: '-1', 'aria-haspopup': 'dialog', 'aria-expanded': 'false' });
    button.dataset.listUserId = user_id;
    const text = element('span', 'text', '');
    const [name, place, word] = ['name', 'place', 'word'].map((kind) => element('span', kind, ''));
    const row = { item, button, avatar: avatarOf('span'), name, place, word, user: null };
    set(row.avatar, { 'aria-hidden': 'true' });
    set(place, { part: 'location', dir: 'auto' });
    text.append(name, place);
    button.append(row.avatar, text, row.word);
    item.append(button);
    this.#rows.set(user_id, row);
    return row;
  }

  /** @param {Event} event */
  #toggles(event) {
    if (event.target !== this.#panel) return; // of a card in the list
    if (/** @type {ToggleEvent} */ (event).newState === 'open') return this.draw(this.#host.shown());
    this.#hadFocus = this.#panel.matches(':focus-within');
    this.#search.clear(); // At once: the event "toggle" may come after it was opened again.
  }

  /** @param {Event} event */
  #toggled(event) {
    if (event.target !== this.#panel) return;
    const isOpen = /** @type {ToggleEvent} */ (event).newState === 'open';
    this.#button.setAttribute('aria-expanded', String(isOpen));
    if (isOpen) {
      this.#placement.start(this.#button);
      this.#keys.current?.focus();
    } else {
      this.#placement.stop();
      if (this.#hadFocus) giveBack(this.#panel, this.#button);
      // Drawn anew when it opens again; meanwhile it costs nothing.
      this.#items.replaceChildren();
      this.#rows.clear();
    }
  }
}
