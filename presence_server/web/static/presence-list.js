// The list of everyone, in a popover that opens where there is room.

import { avatarOf, describe, element, setText } from './presence-avatar.js';
import { Placement } from './presence-placement.js';
import { statusWord } from './presence-people.js';

/** @typedef {import('./presence-replica.js').User} User */

/** How far a key goes, in rows. @type {Record<string, number>} */
const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8, End: Infinity, Home: -Infinity };

/** Draws people into a popover; a row stays the same element while its person is there. */
export class PeopleList {
  #panel;
  #button;
  #placement;
  #title = element('h2', '', '');
  #items = element('ul', '', '');
  /** @type {Map<string, HTMLLIElement>} */
  #rows = new Map();
  /** The row that the keyboard is at. @type {HTMLElement | null} */
  #current = null;
  /** Whether the keyboard was in the list when it closed. */
  #hadFocus = false;

  /**
   * @param {HTMLElement} panel  the popover
   * @param {HTMLElement} button  opens it
   */
  constructor(panel, button) {
    this.#panel = panel;
    this.#button = button;
    this.#placement = new Placement(panel, button);
    this.#items.setAttribute('role', 'list');
    const title = element('bdi', '', '');
    this.#title.append(title);
    panel.append(this.#title, this.#items);
    panel.addEventListener('beforetoggle', (event) => {
      if (/** @type {ToggleEvent} */ (event).newState === 'closed') this.#hadFocus = panel.matches(':focus-within');
    });
    panel.addEventListener('toggle', (event) => this.#toggled(/** @type {ToggleEvent} */ (event).newState === 'open'));
    panel.addEventListener('keydown', (event) => this.#key(event));
  }

  get isOpen() {
    return this.#panel.matches(':popover-open');
  }

  /**
   * @param {User[]} users
   * @param {string | null} selfId
   */
  draw(users, selfId) {
    const title = /** @type {HTMLElement} */ (this.#title.firstElementChild);
    setText(title, users.length === 1 ? '1 person here' : `${users.length} people here`);
    // First, so that the rows that stay are not moved.
    const here = new Set(users.map((user) => user.user_id));
    for (const userId of [...this.#rows.keys()]) if (!here.has(userId)) this.#remove(userId);
    users.forEach((user, index) => {
      const row = this.#rowOf(user);
      describe(row, user, user.user_id === selfId);
      setText(/** @type {HTMLElement} */ (row.lastElementChild), statusWord(user));
      if (this.#items.children[index] !== row) this.#items.insertBefore(row, this.#items.children[index] ?? null);
    });
    if (!this.#current) this.#moveTo(this.#items.firstElementChild, false);
  }

  /** @param {User} user */
  #rowOf(user) {
    let row = this.#rows.get(user.user_id);
    if (!row) {
      row = document.createElement('li');
      row.tabIndex = -1;
      row.setAttribute('part', 'item');
      row.dataset.testid = 'presence-list-user';
      row.dataset.listUserId = user.user_id;
      row.append(avatarOf(user), element('span', 'name', ''), element('span', 'word', ''));
      this.#rows.set(user.user_id, row);
    }
    return row;
  }

  /** @param {string} userId */
  #remove(userId) {
    const row = /** @type {HTMLLIElement} */ (this.#rows.get(userId));
    this.#rows.delete(userId);
    const next = row.nextElementSibling ?? row.previousElementSibling;
    const hadFocus = row === this.#current && row.matches(':focus');
    row.remove();
    if (row === this.#current) this.#moveTo(next, hadFocus);
  }

  /** @param {boolean} isOpen */
  #toggled(isOpen) {
    this.#button.setAttribute('aria-expanded', String(isOpen));
    if (isOpen) {
      this.#placement.start();
      this.#current?.focus();
    } else {
      this.#placement.stop();
      if (this.#hadFocus) this.#button.focus();
      // Drawn anew when it opens again; meanwhile it costs nothing.
      this.#items.replaceChildren();
      this.#rows.clear();
      this.#current = null;
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = STEPS[event.key];
    if (step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const rows = [...this.#items.children];
    const at = rows.indexOf(/** @type {Element} */ (this.#current));
    this.#moveTo(rows[Math.min(Math.max(at + step, 0), rows.length - 1)], true);
  }

  /**
   * @param {Element | null | undefined} row
   * @param {boolean} focus
   */
  #moveTo(row, focus) {
    if (this.#current) this.#current.tabIndex = -1;
    this.#current = /** @type {HTMLElement | null} */ (row ?? null);
    if (!this.#current) return;
    this.#current.tabIndex = 0;
    if (focus) this.#current.focus();
  }
}

