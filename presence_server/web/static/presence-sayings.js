// What people say at their cursors.

import { element, set, setText } from './presence-avatar.js';

/** A message that has ended is seen for so long. */
const FADE_MS = 400;

/** Adds messages to cursors. */
export class Sayings {
  /** @type {WeakMap<HTMLElement, {text: HTMLElement, fading: number}>} */
  #known = new WeakMap();

  /**
   * @param {HTMLElement} cursor
   * @param {unknown} text  which anybody can make up; empty or none: nothing
   */
  show(cursor, text) {
    const says = typeof text === 'string' && text !== '';
    const known = this.#known.get(cursor) ?? (says ? this.#add(cursor) : null);
    if (!known) return;
    if (says) setText(known.text, text);
    if (says === cursor.hasAttribute('data-chat')) return;
    cursor.toggleAttribute('data-chat', says);
    clearTimeout(known.fading);
    if (!says) known.fading = window.setTimeout(() => setText(known.text, ''), FADE_MS);
  }

  /** @param {HTMLElement} cursor */
  #add(cursor) {
    const known = { text: element('bdi', 'saying', ''), fading: 0 };
    set(known.text, { part: 'saying', 'data-testid': 'presence-saying' });
    /** @type {HTMLElement} */ (cursor.querySelector('.label')).append(known.text);
    this.#known.set(cursor, known);
    return known;
  }
}
