// The search field of the list of everyone.

import { element, set } from './presence-avatar.js';

/** @typedef {import('./presence-words.js').Words} Words */

/** A list that can be looked through at a glance has no search. */
const MIN_PEOPLE = 21;

/** Finds people by a part of their name. */
export class Search {
  input = /** @type {HTMLInputElement} */ (element('input', 'search', ''));
  /** What is looked for. */
  text = '';

  /** @param {() => void} changed */
  constructor(changed) {
    set(this.input, { part: 'search', type: 'search', autocomplete: 'off', spellcheck: 'false', 'data-testid': 'presence-search' });
    this.input.addEventListener('input', () => {
      this.text = plain(this.input.value).trim();
      changed();
    });
  }

  /**
   * @param {number} count  of people
   * @param {Words} words
   */
  draw(count, words) {
    const isHidden = count < MIN_PEOPLE && !this.text;
    if (this.input.hidden !== isHidden) this.input.hidden = isHidden;
    set(this.input, { placeholder: words.say('search'), 'aria-label': words.say('search') });
  }

  /** @param {string} name */
  finds(name) {
    return !this.text || plain(name).includes(this.text);
  }

  clear() {
    this.input.value = '';
    this.text = '';
  }

  /**
   * A letter that is typed in the list goes into the field; the arrow leads back.
   *
   * @param {KeyboardEvent} event
   * @param {HTMLElement | null} current  row
   */
  key(event, current) {
    const { key, target, altKey, ctrlKey, metaKey } = event;
    if (this.input.hidden || altKey || ctrlKey || metaKey) return;
    if (target === this.input && key === 'ArrowDown') {
      event.preventDefault(); // or the list scrolls
      current?.focus();
    } else if (/** @type {Element} */ (target).matches('li > button') && /^[\p{L}\p{N}]$/u.test(key)) this.input.focus();
  }
}

/** @param {string} text  @returns {string} without accents and case */
function plain(text) {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLocaleLowerCase();
}
