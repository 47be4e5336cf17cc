// The bar below the board: a new note, undo, redo, and whether everything is stored.

import { button, icon } from './board-icons.js';

/** @typedef {import('./board-notes-model.js').Notes} Notes */
/** @typedef {import('./presence-yjs-types.js').ProviderStatus} ProviderStatus */

/** A change that is not stored so long after it was made is worth a word, in milliseconds. */
const SLOW_MS = 5_000;
const MAC = /Mac|iPhone|iPad/.test(globalThis.navigator?.platform ?? '');
const KEYS = MAC ? { undo: '⌘Z', redo: '⇧⌘Z' } : { undo: 'Ctrl+Z', redo: 'Ctrl+Y' };

const WORDS = {
  saved: 'Saved',
  saving: 'Saving…',
  unsaved: 'Not saved yet',
  offline: 'Saved when online',
  fixed: 'View only',
};

/** The bar, which is there once the notes are. */
export class NotesBar {
  element = document.createElement('div');
  #notes;
  #add = button('button primary note-add', 'Add a note', icon('add'), 'Note');
  #undo = button('button note-step', `Undo (${KEYS.undo})`, icon('undo'));
  #redo = button('button note-step', `Redo (${KEYS.redo})`, icon('redo'));
  #saved = document.createElement('span');
  #word = document.createElement('span');
  #timer = 0;

  /**
   * @param {Notes} notes
   * @param {() => void} add
   */
  constructor(notes, add) {
    this.#notes = notes;
    this.element.className = 'note-bar';
    this.element.dataset.testid = 'note-bar';
    this.element.setAttribute('role', 'group');
    this.element.setAttribute('aria-label', 'Sticky notes');
    this.#saved.className = 'note-saved';
    this.#saved.dataset.testid = 'note-saved';
    this.#saved.append(icon('saved'), this.#word);
    this.#add.addEventListener('click', add);
    this.#undo.addEventListener('click', () => notes.undo());
    this.#redo.addEventListener('click', () => notes.redo());
    this.element.append(this.#add, this.#undo, this.#redo, this.#saved);
  }

  /** @param {ProviderStatus} status */
  show(status) {
    this.element.toggleAttribute('data-fixed', status.readOnly);
    for (const each of [this.#add, this.#undo, this.#redo]) each.hidden = status.readOnly;
    this.#tell(status);
    this.steps();
  }

  /** What can be undone. */
  steps() {
    this.#undo.disabled = !this.#notes.canUndo;
    this.#redo.disabled = !this.#notes.canRedo;
  }

  /** @param {ProviderStatus} status */
  #tell({ status, saved, readOnly }) {
    if (readOnly) this.#write('fixed');
    else if (saved) this.#write('saved');
    else if (status !== 'connected') this.#write('offline');
    else if (this.#saved.dataset.state !== 'unsaved' && this.#timer === 0) {
      this.#write('saving');
      this.#timer = window.setTimeout(() => this.#write('unsaved'), SLOW_MS);
    }
  }

  /** @param {keyof typeof WORDS} state */
  #write(state) {
    window.clearTimeout(this.#timer);
    this.#timer = 0;
    if (this.#saved.dataset.state === state) return;
    this.#saved.dataset.state = state;
    this.#word.textContent = WORDS[state];
  }
}
