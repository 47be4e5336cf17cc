// The row of avatars, as many as there is room for, and the button with the rest.

import { avatarOf, describe, element, peopleIcon } from './presence-avatar.js';

/** @typedef {import('./presence-replica.js').User} User */

/**
 * @typedef {object} Layout
 * @property {number} max  avatars at most
 * @property {number | null} size  of an avatar in pixels; null: as the style sheet says
 * @property {number} overlap  of two avatars in pixels
 */

/** Where the bar may choose its width, it is as wide as this many avatars. */
const NATURAL = 5;
const GAP_PX = 8;
const PADDING_PX = 8;
const BETWEEN_PX = 3;
const DEFAULT_SIZE_PX = 36;

/** Draws people into a row. */
export class PeopleRow {
  people = element('ul', 'people', '');
  more = /** @type {HTMLButtonElement} */ (element('button', 'more', ''));
  bar = element('div', 'bar', '');
  /** Is as wide as the row would like to be, and is not seen. */
  sizer = element('div', 'sizer', '');
  #total = element('span', 'more', '');
  /** @type {Map<string, HTMLLIElement>} */
  #shown = new Map();

  constructor() {
    this.bar.append(this.people, this.more);
    this.sizer.append(element('span', 'natural', ''), this.#total);
    this.more.hidden = true;
    this.#total.hidden = true;
  }

  /**
   * @param {User[]} users  in the order to show them
   * @param {string | null} selfId
   * @param {Layout} layout
   * @param {() => number} width  of the room, measured once the sizer is right
   */
  draw(users, selfId, layout, width) {
    const natural = Number.isFinite(layout.max) ? layout.max : NATURAL;
    this.#style(Math.min(users.length, natural), users.length, layout);
    const visible = users.slice(0, this.#fitting(Math.min(users.length, layout.max), layout.overlap, width()));
    this.#drawMore(users.length, users.length - visible.length);
    this.#drawPeople(visible, selfId, layout.overlap > 0);
  }

  /**
   * @param {number} natural  how many avatars it would like to show
   * @param {number} total
   * @param {Layout} layout
   */
  #style(natural, total, { size, overlap }) {
    for (const part of [this.sizer, this.bar]) {
      part.style.setProperty('--size', size === null ? '' : `${size}px`);
      part.style.setProperty('--overlap', `${overlap}px`);
    }
    this.sizer.style.setProperty('--natural', String(natural));
    this.#total.hidden = total === 0;
    if (this.#total.textContent !== String(total)) this.#total.textContent = String(total);
  }

  /**
   * @param {number} most
   * @param {number} overlap
   * @param {number} width
   * @returns {number} how many avatars there is room for
   */
  #fitting(most, overlap, width) {
    // With its icon the total is wider than "+97".
    const room = width - this.#total.offsetWidth - GAP_PX - PADDING_PX;
    const size = this.#total.offsetHeight || DEFAULT_SIZE_PX;
    const step = Math.max(1, size + BETWEEN_PX - overlap);
    return Math.min(most, Math.max(1, Math.floor((room - size) / step) + 1));
  }

  /**
   * @param {User[]} visible
   * @param {string | null} selfId
   * @param {boolean} overlap  then each lies on the next one, which leaves its dot free
   */
  #drawPeople(visible, selfId, overlap) {
    const gone = new Set(this.#shown.keys());
    visible.forEach((user, index) => {
      gone.delete(user.user_id);
      const item = this.#itemOf(user);
      describe(item, user, user.user_id === selfId);
      item.style.zIndex = overlap ? String(visible.length - index) : '';
      if (this.people.children[index] !== item) {
        this.people.insertBefore(item, this.people.children[index] ?? null);
      }
    });
    for (const userId of gone) {
      this.#shown.get(userId)?.remove();
      this.#shown.delete(userId);
    }
  }

  /** @param {User} user */
  #itemOf(user) {
    let item = this.#shown.get(user.user_id);
    if (!item) {
      item = document.createElement('li');
      item.className = 'person arrived';
      item.dataset.testid = 'presence-user';
      item.dataset.userId = user.user_id;
      item.append(avatarOf(user), element('span', 'quiet', ''));
      this.#shown.set(user.user_id, item);
    }
    return item;
  }

  /**
   * @param {number} total
   * @param {number} hidden
   */
  #drawMore(total, hidden) {
    this.more.hidden = total === 0;
    const text = hidden > 0 ? `+${hidden}` : String(total);
    const people = total === 1 ? '1 person' : `${total} people`;
    const label = `Show all ${people} on this board`;
    if (this.more.getAttribute('aria-label') !== label) this.more.setAttribute('aria-label', label);
    if (this.more.dataset.text === text) return;
    this.more.dataset.text = text;
    this.more.replaceChildren(...(hidden > 0 ? [] : [peopleIcon()]), text);
  }
}
