// A few words at one's own cursor.

import { element, set } from './presence-avatar.js';
import { safeColor, textOn } from './presence-people.js';
import { pixels } from './presence-space.js';
import { tell } from './presence-tell.js';

const MAX_LENGTH = 140;
/** The field closes when nothing was typed for so long. */
const IDLE_MS = 10_000;
/** So long a message stands after Enter. */
const STAY_MS = 5_000;
const WIDTH_PX = 230;
const HEIGHT_PX = 60;

/** The field at the cursor, and what the others see of it. */
export class Chat {
  #root;
  #place;
  #box = element('div', 'mine', '');
  #field = /** @type {HTMLInputElement} */ (document.createElement('input'));
  #said = '';
  #timer = 0;

  /**
   * @param {ShadowRoot} root
   * @param {import('./presence-company.js').Place} place
   */
  constructor(root, place) {
    this.#root = root;
    this.#place = place;
    set(this.#box, { part: 'chat', 'data-testid': 'presence-chat' });
    set(this.#field, { maxlength: String(MAX_LENGTH), autocomplete: 'off', dir: 'auto' });
    this.#box.append(this.#field);
    this.#field.addEventListener('input', () => this.#write());
    this.#field.addEventListener('blur', () => this.#finish());
    // The page's own keys do nothing while somebody writes.
    for (const type of ['keydown', 'keyup', 'keypress']) this.#box.addEventListener(type, (event) => event.stopPropagation());
    this.#field.addEventListener('keydown', ({ key, isComposing }) => {
      if (isComposing) return;
      if (key === 'Escape') this.end();
      else if (key === 'Enter') this.#field.blur();
    });
  }

  get isOpen() {
    return this.#box.isConnected;
  }

  open() {
    const { client, cursor, host: { words }, space, point } = this.#place;
    const color = safeColor(client.self?.color);
    this.#box.style.setProperty('--color', color);
    this.#box.style.setProperty('--on-color', textOn(color));
    const label = words.say('say');
    set(this.#field, { placeholder: label, 'aria-label': label, lang: words.lang });
    this.#field.readOnly = false;
    this.#field.value = this.#said = '';
    this.#root.append(this.#box);
    const place = cursor();
    const { left, top, width, height } = space.measure();
    if (place) this.move(place);
    else point(left + width / 2, top + height / 2);
    this.#field.focus({ preventScroll: true });
    this.#wait(IDLE_MS);
  }

  /**
   * @param {[number, number]} place  of the cursor, as fractions of the space
   */
  move([across, down]) {
    if (!this.isOpen) return;
    const measured = this.#place.space.measure();
    const [x, y] = pixels(measured, across, down);
    const { width, height } = measured;
    const left = Math.max(4, Math.min(x + 14, width - WIDTH_PX));
    const top = Math.max(4, y + HEIGHT_PX > height ? y - HEIGHT_PX : y + 16);
    this.#box.style.transform = `translate(${left.toFixed(1)}px, ${top.toFixed(1)}px)`;
  }

  end() {
    clearTimeout(this.#timer);
    if (!this.isOpen) return;
    this.#box.remove();
    const { client, target, pointNowhere } = this.#place;
    tell(client, { chat: undefined });
    if (!target.matches(':hover')) pointNowhere();
  }

  #write() {
    const text = this.#field.value;
    // What there is no room for is not written.
    if (tell(this.#place.client, { chat: text.trim() ? text : undefined })) this.#said = text;
    else this.#field.value = this.#said;
    this.#wait(IDLE_MS);
  }

  #finish() {
    if (!this.isOpen || this.#field.readOnly) return;
    if (!this.#said.trim()) return this.end();
    this.#field.readOnly = true;
    this.#wait(STAY_MS);
  }

  /** @param {number} milliseconds  until it ends by itself */
  #wait(milliseconds) {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.end(), milliseconds);
  }
}
