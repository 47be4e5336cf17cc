// What opens beside the bar: the list of everyone, and the name under the pointer.

import { avatarOf, element } from './presence-avatar.js';
import { statusWord } from './presence-people.js';

/** @typedef {import('./presence-replica.js').User} User */

const MARGIN_PX = 8;
const LIST_WIDTH_PX = 300;

/** The list of everyone, in a popover. */
export class PeopleList {
  #panel;
  #title = element('h2', '', '');
  #items = element('ul', '', '');

  /** @param {HTMLElement} panel  the popover */
  constructor(panel) {
    this.#panel = panel;
    this.#items.setAttribute('role', 'list');
    panel.append(this.#title, this.#items);
  }

  get isOpen() {
    return this.#panel.matches(':popover-open');
  }

  /** @param {DOMRect} anchor  what it opens below */
  place(anchor) {
    const width = Math.min(LIST_WIDTH_PX, innerWidth - 2 * MARGIN_PX);
    const left = Math.max(MARGIN_PX, Math.min(anchor.right - width, innerWidth - width - MARGIN_PX));
    this.#panel.style.left = `${left}px`;
    this.#panel.style.top = `${anchor.bottom + MARGIN_PX}px`;
  }

  /**
   * @param {User[]} users
   * @param {string | null} selfId
   */
  draw(users, selfId) {
    this.#title.textContent = users.length === 1 ? '1 person here' : `${users.length} people here`;
    const items = users.map((user) => {
      const item = document.createElement('li');
      item.dataset.testid = 'presence-list-user';
      item.dataset.listUserId = user.user_id;
      item.dataset.status = user.status;
      item.dataset.connected = String(user.connected);
      const name = element('span', 'name', user.display_name);
      if (user.user_id === selfId) name.append(element('small', '', ' (you)'));
      item.append(avatarOf(user), name, element('span', 'word', statusWord(user)));
      return item;
    });
    this.#items.replaceChildren(...items);
  }
}

/** The name of the person under the pointer. */
export class Tip {
  #panel;
  #name = element('b', '', '');
  #word = element('span', '', '');

  /** @param {HTMLElement} panel  a popover */
  constructor(panel) {
    this.#panel = panel;
    panel.append(this.#name, this.#word);
  }

  /**
   * @param {User} user
   * @param {boolean} isSelf
   * @param {Element} item  of the bar
   */
  show(user, isSelf, item) {
    this.#name.textContent = user.display_name + (isSelf ? ' (you)' : '');
    this.#word.textContent = statusWord(user);
    this.#panel.showPopover();
    const at = item.getBoundingClientRect();
    const width = this.#panel.offsetWidth;
    const left = at.left + at.width / 2 - width / 2;
    this.#panel.style.inset = 'auto';
    this.#panel.style.left = `${Math.max(MARGIN_PX, Math.min(left, innerWidth - width - MARGIN_PX))}px`;
    this.#panel.style.top = `${at.bottom + MARGIN_PX}px`;
  }

  hide() {
    this.#panel.hidePopover();
  }
}
