// One stop of the Tab key for many buttons; other keys move between them.

/** Keeps one button of a container in the order of the Tab key. */
export class Roving {
  #box;
  /** @type {HTMLElement | null} */
  #current = null;

  /**
   * @param {HTMLElement} box
   * @param {Record<string, number>} steps  how far each key goes
   */
  constructor(box, steps) {
    this.#box = box;
    box.addEventListener('focusin', (event) => this.#moveTo(/** @type {Element} */ (event.target).closest('button')));
    box.addEventListener('keydown', (event) => this.#key(event, steps));
  }

  get current() {
    return this.#current;
  }

  /** Buttons came, or went. */
  check() {
    const item = this.#current?.parentElement;
    if (!this.#current?.isConnected || item?.hidden) this.#moveTo(this.#buttons()[0] ?? null);
  }

  /**
   * Before one is removed: the next one takes its place.
   *
   * @param {Element} button
   */
  leave(button) {
    if (button !== this.#current) return;
    const hadFocus = button.matches(':focus');
    const buttons = this.#buttons();
    const at = buttons.indexOf(this.#current);
    this.#moveTo(buttons[at + 1] ?? buttons[at - 1] ?? null);
    if (hadFocus) this.#current?.focus();
  }

  #buttons() {
    const buttons = /** @type {NodeListOf<HTMLElement>} */ (this.#box.querySelectorAll('li:not([hidden]) > button'));
    return [...buttons];
  }

  /**
   * @param {KeyboardEvent} event
   * @param {Record<string, number>} steps
   */
  #key(event, steps) {
    let step = steps[event.key];
    if (step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const isSideways = event.key === 'ArrowLeft' || event.key === 'ArrowRight';
    if (isSideways && getComputedStyle(this.#box).direction === 'rtl') step = -step;
    const buttons = this.#buttons();
    const at = buttons.indexOf(/** @type {HTMLElement} */ (this.#current));
    this.#moveTo(buttons[Math.min(Math.max(at + step, 0), buttons.length - 1)] ?? null);
    this.#current?.focus();
  }

  /** @param {HTMLElement | null} button */
  #moveTo(button) {
    if (button === this.#current) return;
    if (this.#current) this.#current.tabIndex = -1;
    this.#current = button;
    if (button) button.tabIndex = 0;
  }
}
