// The name of the person under the pointer.

import { element } from './presence-avatar.js';
import { nameOf } from './presence-name.js';
import { scaleOf } from './presence-space.js';

/** @typedef {import('./presence-people.js').Person} Person */
/** @typedef {import('./presence-people.js').Shown} Shown */

const MARGIN_PX = 8;

/** A popover beside an avatar. */
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
   * @param {Person} user
   * @param {Shown} shown
   * @param {Element} item  of the bar
   */
  show(user, shown, item) {
    this.#name.replaceChildren(...nameOf(user, shown));
    this.#word.textContent = shown.words.status(user);
    this.#panel.showPopover();
    const at = item.getBoundingClientRect();
    const { width, height } = this.#panel.getBoundingClientRect();
    const zoom = scaleOf(this.#panel, width);
    const left = Math.min(at.left + at.width / 2 - width / 2, innerWidth - width - MARGIN_PX);
    const below = at.bottom + MARGIN_PX;
    const top = below + height <= innerHeight ? below : at.top - height - MARGIN_PX;
    this.#panel.style.left = `${Math.max(MARGIN_PX, left) / zoom}px`;
    this.#panel.style.top = `${Math.max(MARGIN_PX, top) / zoom}px`;
  }

  hide() {
    this.#panel.hidePopover();
  }
}
