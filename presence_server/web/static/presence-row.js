// The row of avatars, as many as there is room for, and the button with the rest.

import { avatarOf, element, paint, peopleIcon, place, set, setText } from './presence-avatar.js';
import { Roving } from './presence-roving.js';

/** @typedef {import('./presence-people.js').Person} Person */
/** @typedef {import('./presence-people.js').Shown} Shown */

/**
 * @typedef {object} Layout
 * @property {number} max  avatars at most
 * @property {number | null} size  of an avatar in pixels; null: as the style sheet says
 * @property {number} overlap  of two avatars in pixels
 */

/**
 * @typedef {object} Item
 * @property {HTMLLIElement} item
 * @property {HTMLElement} avatar
 */

/** How far a key goes, in avatars. */
const STEPS = { ArrowRight: 1, ArrowLeft: -1, End: Infinity, Home: -Infinity };
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
  /** Said where nobody is seen. */
  note = element('span', 'note', '');
  bar = element('div', 'bar', '');
  /** Is as wide as the row would like to be, and is not seen. */
  sizer = element('div', 'sizer', '');
  #total = element('span', 'more', '');
  #keys = new Roving(this.people, STEPS);
  /** What the measured size depends on. */
  #shape = '';
  /** How many avatars there is room for. */
  #room = 0;
  /** @type {Map<string, Item>} */
  #items = new Map();

  constructor() {
    this.bar.append(this.people, this.note, this.more);
    this.sizer.append(element('span', 'natural', ''), this.#total);
    this.more.hidden = true;
    this.#total.hidden = true;
  }

  /** The room has another size, or the font has. */
  measureAgain() {
    this.#shape = '';
  }

  /**
   * @param {Shown} shown
   * @param {Layout} layout
   * @param {() => number} width  of the room, measured once the sizer is right
   */
  draw(shown, layout, width) {
    const { users, count, words } = shown;
    const natural = Math.min(users.length, Number.isFinite(layout.max) ? layout.max : NATURAL);
    const shape = [natural, count, words.lang, layout.size, layout.overlap].join();
    // A forced layout is dear, so it is done for a new shape only.
    if (shape !== this.#shape) {
      this.#style(natural, count ? words.number(count) : '', layout);
      this.#room = this.#fitting(layout.overlap, width());
      this.#shape = shape;
    }
    const visible = users.slice(0, Math.min(this.#room, layout.max));
    // Without anybody beside it, the button says how many there are.
    this.#drawMore(shown, visible.length && Math.max(0, count - visible.length));
    this.#drawPeople(visible, shown, layout.overlap > 0);
  }

  /**
   * @param {number} natural  how many avatars it would like to show
   * @param {string} total
   * @param {Layout} layout
   */
  #style(natural, total, { size, overlap }) {
    for (const part of [this.sizer, this.bar]) {
      part.style.setProperty('--_size', size === null ? '' : `${size}px`);
      part.style.setProperty('--overlap', `${overlap}px`);
    }
    this.sizer.style.setProperty('--natural', String(natural));
    this.#total.hidden = !total;
    setText(this.#total, total);
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
    return Math.max(0, Math.floor((room - size) / step) + 1);
  }

  /**
   * @param {Person[]} visible
   * @param {Shown} shown
   * @param {boolean} overlap  then each lies on the next one, which leaves its dot free
   */
  #drawPeople(visible, shown, overlap) {
    // First, so that the others are not moved.
    const here = new Set(visible.map((user) => user.user_id));
    for (const [userId, { item, avatar }] of this.#items) {
      if (here.has(userId)) continue;
      this.#keys.leave(avatar);
      item.remove();
      this.#items.delete(userId);
    }
    const items = visible.map((user, index) => {
      const { item, avatar } = this.#itemOf(user);
      paint(item, avatar, user, shown);
      set(avatar, { 'aria-label': labelOf(user, shown) });
      const above = overlap ? String(visible.length - index) : '';
      if (item.style.zIndex !== above) item.style.zIndex = above;
      return item;
    });
    place(this.people, items);
    this.#keys.check();
  }

  /** @param {Person} user */
  #itemOf(user) {
    const known = this.#items.get(user.user_id);
    if (known) return known;
    const item = document.createElement('li');
    item.className = 'person arrived';
    set(item, { part: 'person', 'data-testid': 'presence-user', 'data-user-id': user.user_id });
    const avatar = avatarOf('button');
    set(avatar, { type: 'button', tabindex: '-1', 'aria-haspopup': 'dialog', 'aria-expanded': 'false' });
    item.append(avatar);
    const made = { item, avatar };
    this.#items.set(user.user_id, made);
    return made;
  }

  /**
   * @param {Shown} shown
   * @param {number} hidden
   */
  #drawMore({ count, words }, hidden) {
    if (this.more.hidden !== (count === 0)) this.more.hidden = count === 0;
    const text = hidden > 0 ? `+${words.number(hidden)}` : words.number(count);
    // What is seen is a part of what is heard: people who steer by voice say what they see.
    set(this.more, { 'aria-label': words.say(hidden > 0 ? 'more' : 'all', { hidden, count }) });
    if (this.more.dataset.text === text) return;
    this.more.dataset.text = text;
    const number = element('bdi', '', text);
    number.dir = 'ltr'; // "+85", and not "85+", on a page from right to left
    this.more.replaceChildren(...(hidden > 0 ? [] : [peopleIcon()]), number);
  }
}

/**
 * @param {Person} user
 * @param {Shown} shown
 * @returns {string} what a screen reader says of an avatar
 */
function labelOf(user, { words, selfId, badges }) {
  let status = words.status(user);
  const facts = badges?.factsOf(user, words) ?? [];
  if (facts.length > 0) status = words.list([status, ...facts]);
  return words.say('person', { name: words.name(user, selfId), status });
}
