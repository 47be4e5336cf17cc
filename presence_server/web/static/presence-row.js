// The row of avatars, as many as there is room for, and the button with the rest.

import { avatarOf, describe, element, peopleIcon, set, setText } from './presence-avatar.js';
import { statusWord } from './presence-people.js';

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
  /** What the measured size depends on. */
  #shape = '';
  /** How many avatars there is room for. */
  #room = 0;
  /** @type {Map<string, HTMLLIElement>} */
  #shown = new Map();

  constructor() {
    this.bar.append(this.people, this.more);
    this.sizer.append(element('span', 'natural', ''), this.#total);
    this.more.hidden = true;
    this.#total.hidden = true;
  }

  /** The room has another size, or the font has. */
  measureAgain() {
    this.#shape = '';
  }

  /**
   * @param {User[]} users  in the order to show them
   * @param {string | null} selfId
   * @param {Layout} layout
   * @param {() => number} width  of the room, measured once the sizer is right
   */
  draw(users, selfId, layout, width) {
    const natural = Math.min(users.length, Number.isFinite(layout.max) ? layout.max : NATURAL);
    const shape = [natural, users.length, layout.size, layout.overlap].join();
    // A forced layout is dear, so it is done for a new shape only.
    if (shape !== this.#shape) {
      this.#style(natural, users.length, layout);
      this.#room = this.#fitting(layout.overlap, width());
      this.#shape = shape;
    }
    const visible = users.slice(0, Math.min(this.#room, layout.max));
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
      part.style.setProperty('--_size', size === null ? '' : `${size}px`);
      part.style.setProperty('--overlap', `${overlap}px`);
    }
    this.sizer.style.setProperty('--natural', String(natural));
    this.#total.hidden = total === 0;
    setText(this.#total, String(total));
  }

  /**
   * @param {number} overlap
   * @param {number} width
   * @returns {number} how many avatars there is room for
   */
  #fitting(overlap, width) {
    // With its icon the total is wider than "+97".
    const room = width - this.#total.offsetWidth - GAP_PX - PADDING_PX;
    const size = this.#total.offsetHeight || DEFAULT_SIZE_PX;
    const step = Math.max(1, size + BETWEEN_PX - overlap);
    return Math.max(1, Math.floor((room - size) / step) + 1);
  }

  /**
   * @param {User[]} visible
   * @param {string | null} selfId
   * @param {boolean} overlap  then each lies on the next one, which leaves its dot free
   */
  #drawPeople(visible, selfId, overlap) {
    // First, so that the others are not moved.
    const here = new Set(visible.map((user) => user.user_id));
    for (const userId of [...this.#shown.keys()]) if (!here.has(userId)) this.#remove(userId);
    visible.forEach((user, index) => {
      const item = this.#itemOf(user);
      describe(item, user, user.user_id === selfId);
      setText(/** @type {HTMLElement} */ (item.lastElementChild), `, ${statusWord(user)}`);
      const above = overlap ? String(visible.length - index) : '';
      if (item.style.zIndex !== above) item.style.zIndex = above;
      if (this.people.children[index] !== item) {
        this.people.insertBefore(item, this.people.children[index] ?? null);
      }
    });
  }

  /** @param {string} userId */
  #remove(userId) {
    this.#shown.get(userId)?.remove();
    this.#shown.delete(userId);
  }

  /** @param {User} user */
  #itemOf(user) {
    let item = this.#shown.get(user.user_id);
    if (!item) {
      item = document.createElement('li');
      item.className = 'person arrived';
      item.dataset.testid = 'presence-user';
      item.dataset.userId = user.user_id;
      set(item, { part: 'person' });
      item.append(avatarOf(user), element('span', 'quiet name', ''), element('span', 'quiet', ''));
      this.#shown.set(user.user_id, item);
    }
    return item;
  }

  /**
   * @param {number} total
   * @param {number} hidden
   */
  #drawMore(total, hidden) {
    if (this.more.hidden !== (total === 0)) this.more.hidden = total === 0;
    const people = total === 1 ? '1 person' : `${total} people`;
    const text = hidden > 0 ? `+${hidden}` : String(total);
    // What is seen is a part of what is heard: people who steer by voice say what they see.
    set(this.more, {
      'aria-label': hidden > 0 ? `+${hidden} more, show all ${people} on this board` : `${people} on this board, show all`,
    });
    if (this.more.dataset.text === text) return;
    this.more.dataset.text = text;
    const number = element('bdi', '', text);
    number.dir = 'ltr'; // "+85", and not "85+", on a page from right to left
    this.more.replaceChildren(...(hidden > 0 ? [] : [peopleIcon()]), number);
  }
}
