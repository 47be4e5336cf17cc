// One sticky note as it is seen: paper, a grip to move it by, its text, and who else holds it.

import { dragByPointer, stepOf } from './board-note-drag.js';
import { TextBinding } from './board-note-text.js';
import { inside } from './board-notes-model.js';
import { BOARD_HEIGHT } from './board-size.js';
import { safeColor, textOn } from './presence-people.js';

/** @typedef {import('./board-notes-model.js').Note} Note */
/** @typedef {import('./board-notes-model.js').Notes} Notes */
/** @typedef {{name: string, color: string}} Holder */

/**
 * @typedef {object} NoteHandlers
 * @property {() => number} scale  pixels in a board unit
 * @property {() => boolean} isReadOnly
 * @property {(view: NoteView) => void} entered  the focus is in it
 * @property {(view: NoteView) => void} left
 * @property {(view: NoteView, place: {x: number, y: number} | null) => void} dragged  null: no more
 * @property {(view: NoteView) => void} removed  the person wants it gone
 */

const EXCERPT = 40;
/** Around the tools of a note, in pixels. */
const TOOLS_MARGIN = 8;

/** The element of one note. */
export class NoteView {
  #notes;
  #handlers;
  #grip = document.createElement('button');
  #field = document.createElement('textarea');
  // As tall as the text, and the field with it.
  #mirror = document.createElement('div');
  #holder = document.createElement('span');
  /** @type {TextBinding | null} */
  #binding = null;
  /** @type {import('./vendor/yjs.js').Text | null} */
  #text = null;
  /** @type {Note} */
  #note;
  #isDragged = false;

  /**
   * @param {string} id
   * @param {Note} note
   * @param {Notes} notes
   * @param {NoteHandlers} handlers
   */
  constructor(id, note, notes, handlers) {
    this.id = id;
    this.element = document.createElement('div');
    this.#note = note;
    this.#notes = notes;
    this.#handlers = handlers;
    this.#build();
    this.update(note);
  }

  get note() {
    return this.#note;
  }

  /** Show what the document says. @param {Note} note */
  update(note) {
    this.#note = note;
    if (!this.#isDragged) this.place(note.x, note.y);
    this.element.style.zIndex = String(note.z);
    this.element.dataset.color = note.color;
    if (note.text === this.#text) return;
    this.#unbind();
    this.#text = note.text;
    if (note.text === null) return;
    this.#binding = new TextBinding(this.#field, note.text, (change) => this.#notes.do(change));
    note.text.observe(this.#reworded);
    this.#reworded();
  }

  /**
   * Show it at a place, in board units.
   *
   * @param {number} x
   * @param {number} y
   */
  place(x, y) {
    const { style } = this.element;
    style.left = `${x}px`;
    style.top = `${y}px`;
    style.setProperty('--room', `${BOARD_HEIGHT - y}px`);
  }

  /**
   * Show tools above it, or below, and inside of what is seen of the board.
   *
   * @param {HTMLElement} tools
   * @param {DOMRect} seen
   */
  carry(tools, seen) {
    if (tools.parentNode !== this.element) this.element.append(tools);
    const { left, top } = this.element.getBoundingClientRect();
    const { width, height } = tools.getBoundingClientRect();
    this.element.dataset.tools = top - seen.top < height + TOOLS_MARGIN ? 'below' : 'above';
    const most = seen.right - TOOLS_MARGIN - width - left;
    const shift = Math.max(Math.min(0, most), seen.left + TOOLS_MARGIN - left);
    this.element.style.setProperty('--shift', `${shift / this.#handlers.scale()}px`);
  }

  /** Somebody else has it, or nobody. @param {Holder | null} holder */
  hold(holder) {
    this.#holder.hidden = holder === null;
    this.element.toggleAttribute('data-held', holder !== null);
    if (holder === null) return;
    const color = safeColor(holder.color);
    this.element.style.setProperty('--holder', color);
    this.element.style.setProperty('--on-holder', textOn(color));
    this.#holder.textContent = holder.name;
  }

  /** @param {boolean} isReadOnly */
  set readOnly(isReadOnly) {
    this.#field.readOnly = isReadOnly || this.#text === null;
    this.#grip.hidden = isReadOnly;
    this.element.toggleAttribute('data-fixed', isReadOnly);
  }

  /** Take hold of it without writing. */
  focus() {
    this.#grip.focus({ preventScroll: true });
  }

  /** Write at the end of its text. */
  write() {
    const { length } = this.#field.value;
    this.#field.focus({ preventScroll: true });
    this.#field.setSelectionRange(length, length);
  }

  remove() {
    this.#unbind();
    this.element.remove();
  }

  #unbind() {
    this.#binding?.end();
    this.#text?.unobserve(this.#reworded);
    this.#binding = null;
    this.#text = null;
  }

  #reworded = () => {
    const text = this.#text?.toString() ?? '';
    this.#mirror.textContent = `${text}\u200b`; // An empty last line is a line, too.
    const words = text.trim().replace(/\s+/g, ' ');
    const excerpt = words.length > EXCERPT ? `${words.slice(0, EXCERPT)}…` : words || 'empty';
    this.element.setAttribute('aria-label', `Note: ${excerpt}`);
    this.#grip.setAttribute('aria-label', `Move the note: ${excerpt}`);
  };

  // --- the element --------------------------------------------------------------

  #build() {
    const { element } = this;
    element.className = 'sticky';
    element.dataset.note = this.id;
    element.setAttribute('role', 'group');
    element.setAttribute('aria-roledescription', 'sticky note');
    this.#grip.type = 'button';
    this.#grip.className = 'grip';
    this.#grip.setAttribute('aria-describedby', 'note-keys');
    this.#field.setAttribute('aria-label', 'Text of the note');
    this.#field.placeholder = 'Write something';
    this.#field.maxLength = 2000;
    this.#field.spellcheck = false;
    this.#mirror.className = 'mirror';
    this.#mirror.setAttribute('aria-hidden', 'true');
    this.#holder.className = 'holder';
    this.#holder.hidden = true;
    const paper = document.createElement('div');
    paper.className = 'paper';
    paper.append(this.#mirror, this.#field);
    element.append(this.#grip, paper, this.#holder);
    this.#listen();
  }

  #listen() {
    const { element } = this;
    element.addEventListener('focusin', () => this.#handlers.entered(this));
    element.addEventListener('focusout', (event) => {
      if (!element.contains(/** @type {Node | null} */ (event.relatedTarget))) this.#handlers.left(this);
    });
    this.#grip.addEventListener('keydown', (event) => this.#key(event));
    this.#field.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !event.isComposing) this.focus();
    });
    dragByPointer(element, {
      scale: () => this.#handlers.scale(),
      mayBegin: (target) => this.#mayDrag(target),
      moved: (dx, dy) => this.#drag(dx, dy),
      dropped: (dx, dy) => {
        const { x, y } = inside(this.#note.x + dx, this.#note.y + dy);
        this.#release();
        this.#notes.separate();
        this.#notes.move(this.id, x, y);
        this.#notes.separate();
        this.focus();
      },
      cancelled: () => {
        this.#release();
        this.update(this.#note);
      },
      clicked: (target) => (target === this.#grip ? this.focus() : this.write()),
    });
  }

  /** @param {EventTarget | null} target */
  #mayDrag(target) {
    if (this.#handlers.isReadOnly() || /** @type {Element} */ (target).closest('.note-tools')) return false;
    return target !== this.#field || document.activeElement !== this.#field;
  }

  /** @param {number} dx  @param {number} dy */
  #drag(dx, dy) {
    this.#isDragged = true;
    this.element.toggleAttribute('data-dragged', true);
    const place = inside(this.#note.x + dx, this.#note.y + dy);
    this.place(place.x, place.y);
    this.#handlers.dragged(this, place);
  }

  #release() {
    this.#isDragged = false;
    this.element.removeAttribute('data-dragged');
    this.#handlers.dragged(this, null);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (this.#handlers.isReadOnly()) return;
    const step = stepOf(event);
    if (step) this.#notes.move(this.id, this.#note.x + step[0], this.#note.y + step[1]);
    else if (event.key === 'Delete' || event.key === 'Backspace') this.#handlers.removed(this);
    else return;
    event.preventDefault(); // Arrows would scroll the board.
  }
}
