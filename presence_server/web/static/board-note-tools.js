// What can be done with the note that has the focus: another colour, or away with it.

import { button, icon } from './board-icons.js';
import { COLORS } from './board-notes-model.js';

/** @typedef {import('./board-notes-model.js').Color} Color */

/** One set of tools, which goes from note to note. */
export class NoteTools {
  element = document.createElement('div');
  /** @type {Map<Color, HTMLButtonElement>} */
  #swatches = new Map();

  /**
   * @param {(color: Color) => void} paint
   * @param {() => void} remove
   */
  constructor(paint, remove) {
    this.element.className = 'note-tools';
    this.element.setAttribute('role', 'group');
    this.element.setAttribute('aria-label', 'Colour of the note, and delete');
    for (const color of COLORS) {
      const swatch = button('note-swatch', `${color[0].toUpperCase()}${color.slice(1)}`);
      swatch.dataset.color = color;
      swatch.addEventListener('click', () => paint(color));
      this.#swatches.set(color, swatch);
      this.element.append(swatch);
    }
    const away = button('note-away', 'Delete the note', icon('remove'));
    away.addEventListener('click', remove);
    this.element.append(away);
    // The focus stays in the note: some browsers give buttons none, and without it the tools are gone.
    this.element.addEventListener('mousedown', (event) => event.preventDefault());
  }

  /** @param {Color} color  of the note */
  show(color) {
    for (const [each, swatch] of this.#swatches) swatch.setAttribute('aria-pressed', String(each === color));
  }
}
