// One cursor with the name of its person.

import { element, set, setText, svgElement } from './presence-avatar.js';
import { safeColor, textOn } from './presence-people.js';
import { pixels } from './presence-space.js';
import { Spring } from './presence-spring.js';

/** @typedef {import('./presence-replica.js').User} User */

const ARROW = 'M2 1.5 18 9l-7 2.2-3.3 6.8z';
/** A cursor that rests for so long fades. */
const IDLE_AFTER_MS = 5_000;
const LABEL_PX = 130;
const LABEL_HEIGHT_PX = 44;

/** Draws a cursor, which glides to where its person points. */
export class CursorView {
  element = element('div', 'cursor', '');
  #label = element('div', 'label', '');
  #name = element('bdi', '', '');
  #spring;
  #place = '';
  #look = '';
  #isAbsent = false;
  #resting = 0;

  /** @param {User} user  with a cursor */
  constructor(user) {
    const { x, y } = /** @type {{x: number, y: number}} */ (user.cursor);
    const svg = svgElement('svg', { viewBox: '0 0 20 22' });
    svg.append(svgElement('path', { d: ARROW }));
    set(this.#label, { part: 'label' });
    set(this.element, { part: 'cursor', 'data-cursor-user': user.user_id });
    this.#label.append(this.#name);
    this.element.append(svg, this.#label);
    this.#spring = new Spring(x, y);
  }

  /**
   * @param {User} user
   * @param {boolean} jump  be there at once
   */
  show(user, jump) {
    const { x, y } = /** @type {{x: number, y: number}} */ (user.cursor);
    const look = `${user.color} ${user.display_name}`;
    if (look !== this.#look) {
      this.#look = look;
      const color = safeColor(user.color);
      this.element.style.setProperty('--color', color);
      this.element.style.setProperty('--on-color', textOn(color));
      setText(this.#name, user.display_name);
    }
    this.#isAbsent = !user.connected || user.status === 'away';
    const place = `${x} ${y}`;
    if (place !== this.#place) {
      this.#place = place;
      clearTimeout(this.#resting);
      this.#resting = window.setTimeout(() => this.#rest(), IDLE_AFTER_MS);
      this.element.removeAttribute('data-idle');
    }
    if (this.#isAbsent) this.#rest();
    this.#spring.aim(x, y, jump);
  }

  /**
   * @param {number} seconds  since the last frame
   * @param {import('./presence-space.js').Measured} measured
   * @returns {boolean} whether it rests
   */
  draw(seconds, measured) {
    const isThere = this.#spring.step(seconds);
    const [x, y] = pixels(measured, this.#spring.x, this.#spring.y);
    const transform = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)`;
    if (this.element.style.transform !== transform) this.element.style.transform = transform;
    this.element.toggleAttribute('data-flip', x > measured.width - LABEL_PX);
    this.element.toggleAttribute('data-rise', y > measured.height - LABEL_HEIGHT_PX);
    return isThere;
  }

  remove() {
    clearTimeout(this.#resting);
    this.element.remove();
  }

  #rest() {
    this.element.toggleAttribute('data-idle', true);
  }
}
