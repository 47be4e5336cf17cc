// The sticky notes of a board, in its Yjs document: a Y.Map `notes` of notes by id, each a Y.Map
// of `x` and `y` (board units), `z` (the higher is above), `color` and `text`, a Y.Text. Other
// programs write into it too, so what is read is made sound.

import { BOARD_HEIGHT, BOARD_WIDTH } from './board-size.js';
import { Doc, Map as YMap, Text as YText, UndoManager } from './vendor/yjs.js';

export const COLORS = /** @type {const} */ (['lemon', 'sky', 'mint', 'rose', 'lilac', 'sand']);
export const NOTE_WIDTH = 200;
export const NOTE_HEIGHT = 150;
const MAX_Z = 1_000_000;

/** @typedef {(typeof COLORS)[number]} Color */

/**
 * @typedef {object} Note
 * @property {number} x  board units, of the upper left corner
 * @property {number} y
 * @property {number} z  the higher is above
 * @property {Color} color
 * @property {YText | null} text
 */

/** The notes, and what can be done with them. What is done here can be undone here. */
export class Notes {
  doc = new Doc();
  #map = this.doc.getMap('notes');
  #undo = new UndoManager(this.#map, { trackedOrigins: new Set([this]) });

  /** @returns {IterableIterator<string>} */
  ids() {
    return this.#map.keys();
  }

  /**
   * @param {string} id
   * @returns {Note | null} null if there is none
   */
  read(id) {
    const found = this.#map.get(id);
    if (!(found instanceof YMap)) return null;
    const color = found.get('color');
    const text = found.get('text');
    return {
      ...inside(found.get('x'), found.get('y')),
      z: Math.min(Math.max(Math.round(finite(found.get('z'))), 0), MAX_Z),
      color: COLORS.find((known) => known === color) ?? COLORS[0],
      text: text instanceof YText ? text : null,
    };
  }

  /**
   * Have a function called after each change, with the ids of the notes that came, went or moved, or
   * whose colour changed.
   *
   * @param {(ids: Set<string>) => void} listener
   */
  observe(listener) {
    this.#map.observeDeep((events) => {
      /** @type {Set<string>} */
      const ids = new Set();
      for (const { path, target, keys } of events) {
        if (target === this.#map) for (const id of keys.keys()) ids.add(id);
        else if (path.length === 1) ids.add(String(path[0]));
      }
      listener(ids);
    });
  }

  /** Have a function called after each change of what can be undone. @param {() => void} listener */
  observeSteps(listener) {
    for (const type of /** @type {const} */ (['stack-item-added', 'stack-item-popped'])) this.#undo.on(type, listener);
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {Color} color
   * @returns {string} its id
   */
  add(x, y, color) {
    const id = crypto.getRandomValues(new Uint32Array(2)).join('-');
    this.#step(() => {
      const note = new YMap(Object.entries({ ...inside(x, y), z: this.#top() + 1, color, text: new YText() }));
      this.#map.set(id, note);
    });
    return id;
  }

  /**
   * Move a note, and put it above the others.
   *
   * @param {string} id
   * @param {number} x
   * @param {number} y
   */
  move(id, x, y) {
    const note = this.#map.get(id);
    if (!(note instanceof YMap)) return;
    const place = inside(x, y);
    this.do(() => {
      if (note.get('x') !== place.x) note.set('x', place.x);
      if (note.get('y') !== place.y) note.set('y', place.y);
      if ((this.read(id)?.z ?? 0) < this.#top()) note.set('z', this.#top() + 1);
    });
  }

  /**
   * @param {string} id
   * @param {Color} color
   */
  paint(id, color) {
    const note = this.#map.get(id);
    if (note instanceof YMap) this.#step(() => note.set('color', color));
  }

  /** @param {string} id */
  remove(id) {
    this.#step(() => this.#map.delete(id));
  }

  /**
   * Change the document so that it can be undone, together with what is done within half a second.
   *
   * @param {() => void} change
   */
  do(change) {
    this.doc.transact(change, this);
  }

  /** What follows is undone by itself. */
  separate() {
    this.#undo.stopCapturing();
  }

  undo() {
    this.#undo.undo();
  }

  redo() {
    this.#undo.redo();
  }

  get canUndo() {
    return this.#undo.canUndo();
  }

  get canRedo() {
    return this.#undo.canRedo();
  }

  /** @param {() => void} change  undone by itself */
  #step(change) {
    this.separate();
    this.do(change);
    this.separate();
  }

  #top() {
    let top = 0;
    for (const id of this.ids()) top = Math.max(top, this.read(id)?.z ?? 0);
    return top;
  }
}

/** @param {unknown} value */
function finite(value) {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

/**
 * The nearest place where all of a note is on the board.
 *
 * @param {unknown} x
 * @param {unknown} y
 */
export function inside(x, y) {
  return {
    x: Math.round(Math.min(Math.max(finite(x), 0), BOARD_WIDTH - NOTE_WIDTH)),
    y: Math.round(Math.min(Math.max(finite(y), 0), BOARD_HEIGHT - NOTE_HEIGHT)),
  };
}
