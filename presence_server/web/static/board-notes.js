// Sticky notes on the demo board, in its Yjs document. The page loads this when it has joined.

import { BOARD_HEIGHT, BOARD_WIDTH } from './board-size.js';
import { NoteView } from './board-note.js';
import { NotesBar } from './board-notes-bar.js';
import { COLORS, inside, NOTE_HEIGHT, NOTE_WIDTH, Notes } from './board-notes-model.js';
import { NOTES_CSS } from './board-notes-style.js';
import { NoteTools } from './board-note-tools.js';
import { styleSheet } from './presence-sheet.js';
import { PresenceYjsProvider } from './presence-yjs.js';
import * as Y from './vendor/yjs.js';

/** @typedef {import('./presence-client.js').PresenceClient} PresenceClient */
/** @typedef {import('./board-note.js').NoteHandlers} NoteHandlers */

const HELP = 'Arrow keys move the note, with Shift a little. Tab goes to its text and colours. Delete removes it.';
/** How often others see a note move that is dragged, in milliseconds. */
const DRAG_INTERVAL_MS = 50;
/** A new note is not put exactly over another one, in board units. */
const CASCADE = 24;

/**
 * The places of a page that the notes need.
 *
 * @typedef {object} Places
 * @property {HTMLElement} main  the bar goes to its end
 * @property {HTMLElement} view  what scrolls
 * @property {HTMLElement} stage  the board, scaled
 * @property {HTMLElement} cursors  the notes go below them
 */

/**
 * Show the notes of a client's board, and let people write them.
 *
 * @param {PresenceClient} client
 * @param {Places} places
 */
export function showNotes(client, places) {
  document.adoptedStyleSheets.push(styleSheet(NOTES_CSS));
  return new NotesLayer(client, places);
}

/** The notes, and what people do with them. */
class NotesLayer {
  notes = new Notes();
  provider;
  #client;
  #places;
  #awareness = new Y.Awareness(this.notes.doc);
  #layer = document.createElement('div');
  #news = document.createElement('p');
  #bar = new NotesBar(this.notes, () => this.#addInView());
  #tools = new NoteTools(
    (color) => this.#active && this.notes.paint(this.#active.id, color),
    () => this.#active && this.#remove(this.#active),
  );
  /** @type {Map<string, NoteView>} */
  #views = new Map();
  /** The one that has the focus. @type {NoteView | null} */
  #active = null;
  /** Those that somebody else drags. @type {Set<string>} */
  #dragged = new Set();
  #dragTimer = 0;
  /** Where the dragged note is, if the others have not been told yet. @type {{x: number, y: number} | null} */
  #nextDrag = null;
  /** The colour of the next new note. */
  #nextColor = 0;
  /** @type {NoteHandlers} */
  #handlers = {
    scale: () => this.#scale,
    isReadOnly: () => this.provider.readOnly,
    entered: (view) => this.#enter(view),
    left: (view) => this.#leave(view),
    dragged: (view, place) => this.#tellDrag(view, place),
    removed: (view) => this.#remove(view),
  };

  /** @param {PresenceClient} client  @param {Places} places */
  constructor(client, places) {
    this.#client = client;
    this.#places = places;
    this.provider = new PresenceYjsProvider(client, this.notes.doc, { Y, awareness: this.#awareness });
    this.#build();
    this.notes.observe((ids) => this.#changed(ids));
    this.notes.observeSteps(() => this.#bar.steps());
    this.#awareness.on('change', () => this.#showHolders());
    this.provider.addEventListener('status', () => this.#showStatus());
    client.addEventListener('state', () => this.#showStatus());
    this.#watchKeys();
    this.#showStatus();
  }

  #build() {
    const { main, stage, cursors } = this.#places;
    this.#layer.className = 'notes';
    this.#layer.dataset.testid = 'notes';
    this.#news.className = 'quiet';
    this.#news.setAttribute('role', 'status');
    const help = document.createElement('p');
    help.id = 'note-keys';
    help.hidden = true;
    help.textContent = HELP;
    stage.insertBefore(this.#layer, cursors);
    main.insertBefore(this.#bar.element, this.#places.view.nextSibling);
    main.append(this.#news, help);
    stage.addEventListener('dblclick', (event) => {
      if (/** @type {Element} */ (event.target).closest('.sticky') || this.provider.readOnly || this.#bar.element.hidden) return;
      const box = stage.getBoundingClientRect();
      this.#addAt((event.clientX - box.left) / this.#scale, (event.clientY - box.top) / this.#scale);
    });
    // What nobody has seen would be lost with the page.
    window.addEventListener('beforeunload', (event) => {
      if (!this.provider.saved && this.provider.status.status !== 'connected') event.preventDefault();
    });
  }

  get #scale() {
    return this.#places.stage.getBoundingClientRect().width / BOARD_WIDTH || 1;
  }

  // --- what the document says -----------------------------------------------------

  /** @param {Set<string>} ids */
  #changed(ids) {
    for (const id of ids) {
      const note = this.notes.read(id);
      const view = this.#views.get(id);
      if (note === null) this.#drop(id);
      else if (view) view.update(note);
      else this.#show(new NoteView(id, note, this.notes, this.#handlers));
    }
    if (this.#active) this.#showTools(this.#active);
    this.#showHolders();
  }

  /** @param {NoteView} view */
  #show(view) {
    view.readOnly = this.provider.readOnly;
    this.#views.set(view.id, view);
    this.#layer.append(view.element);
  }

  /** @param {string} id */
  #drop(id) {
    const view = this.#views.get(id);
    if (!view) return;
    const hadFocus = view === this.#active;
    this.#views.delete(id);
    view.remove();
    if (!hadFocus) return;
    this.#leave(view);
    this.#places.view.focus({ preventScroll: true });
    this.#say('The note is gone');
  }

  #showStatus() {
    const { status } = this.provider;
    const isThere = status.synced || this.#bar.element.dataset.ready === '';
    if (status.synced) this.#bar.element.dataset.ready = '';
    this.#bar.element.hidden = !isThere;
    // A screen covers the board.
    this.#bar.element.inert = ['closed', 'queued', 'full'].includes(this.#client.state);
    this.#bar.show(status);
    for (const view of this.#views.values()) view.readOnly = status.readOnly;
    if (status.readOnly) this.#tools.element.remove();
  }

  // --- who holds what -------------------------------------------------------------

  #showHolders() {
    /** @type {Map<string, import('./board-note.js').Holder>} */
    const holders = new Map();
    /** @type {Set<string>} */
    const dragged = new Set();
    for (const [id, state] of this.#awareness.getStates()) {
      const held = state?.note;
      const view = id === this.#awareness.clientID ? undefined : this.#views.get(held?.id);
      if (!view) continue;
      holders.set(view.id, { name: String(state.user?.name ?? 'Somebody'), color: String(state.user?.color ?? '') });
      if (!Number.isFinite(held.x) || !Number.isFinite(held.y)) continue;
      const { x, y } = inside(held.x, held.y);
      view.place(x, y);
      dragged.add(view.id);
    }
    for (const view of this.#views.values()) {
      view.hold(holders.get(view.id) ?? null);
      if (this.#dragged.has(view.id) && !dragged.has(view.id)) view.update(view.note);
    }
    this.#dragged = dragged;
  }

  /** @param {NoteView} view */
  #enter(view) {
    if (this.#active === view) return;
    this.#active = view;
    this.#showTools(view);
    this.#awareness.setLocalStateField('note', { id: view.id });
  }

  /** @param {NoteView} view */
  #showTools(view) {
    if (this.provider.readOnly) return;
    this.#tools.show(view.note.color);
    view.carry(this.#tools.element, this.#places.view.getBoundingClientRect());
  }

  /** @param {NoteView} view */
  #leave(view) {
    if (this.#active !== view) return;
    this.#active = null;
    this.#tools.element.remove();
    this.#awareness.setLocalStateField('note', null);
  }

  /** @param {NoteView} view  @param {{x: number, y: number} | null} place */
  #tellDrag(view, place) {
    if (place && this.#dragTimer) {
      this.#nextDrag = place;
      return;
    }
    window.clearTimeout(this.#dragTimer);
    this.#dragTimer = 0;
    this.#nextDrag = null;
    this.#awareness.setLocalStateField('note', { id: view.id, ...place });
    if (!place) return;
    this.#dragTimer = window.setTimeout(() => {
      this.#dragTimer = 0;
      if (this.#nextDrag) this.#tellDrag(view, this.#nextDrag);
    }, DRAG_INTERVAL_MS);
  }

  // --- what people do -------------------------------------------------------------

  #addInView() {
    const { view, stage } = this.#places;
    const [seen, board] = [view.getBoundingClientRect(), stage.getBoundingClientRect()];
    const left = (Math.max(seen.left, board.left) + Math.min(seen.right, board.right)) / 2 - board.left;
    const top = (Math.max(seen.top, board.top) + Math.min(seen.bottom, board.bottom)) / 2 - board.top;
    let [x, y] = [left / this.#scale, top / this.#scale];
    const isTaken = () => [...this.#views.values()].some(({ note }) => {
      return Math.abs(note.x + NOTE_WIDTH / 2 - x) < CASCADE && Math.abs(note.y + NOTE_HEIGHT / 2 - y) < CASCADE;
    });
    while (isTaken() && x < BOARD_WIDTH && y < BOARD_HEIGHT) [x, y] = [x + CASCADE, y + CASCADE];
    this.#addAt(x, y);
  }

  /** @param {number} x  of its middle, in board units  @param {number} y */
  #addAt(x, y) {
    const color = COLORS[this.#nextColor++ % COLORS.length];
    const id = this.notes.add(x - NOTE_WIDTH / 2, y - NOTE_HEIGHT / 2, color);
    this.#views.get(id)?.write();
    this.#say('Note added');
  }

  /** @param {NoteView} view */
  #remove(view) {
    const ids = [...this.#views.keys()];
    const at = ids.indexOf(view.id);
    this.#leave(view);
    this.notes.remove(view.id);
    const next = this.#views.get(ids[at + 1] ?? ids[at - 1]);
    if (next) next.focus();
    else /** @type {HTMLElement} */ (this.#bar.element.querySelector('.note-add')).focus();
    this.#say('Note deleted. Undo brings it back');
  }

  #watchKeys() {
    document.addEventListener('keydown', (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.altKey || this.provider.readOnly) return;
      const key = event.key.toLowerCase();
      const isRedo = key === 'y' || (key === 'z' && event.shiftKey);
      if ((key !== 'z' && !isRedo) || !this.#isHere(event.target)) return;
      event.preventDefault();
      if (isRedo) this.notes.redo();
      else this.notes.undo();
    });
    // The menu of a text field would undo what others wrote as well.
    this.#layer.addEventListener('beforeinput', (event) => {
      if (event.inputType !== 'historyUndo' && event.inputType !== 'historyRedo') return;
      event.preventDefault();
      if (event.inputType === 'historyUndo') this.notes.undo();
      else this.notes.redo();
    });
  }

  /** Whether a key there is for the notes. @param {EventTarget | null} target */
  #isHere(target) {
    const element = /** @type {Element} */ (target);
    return element === document.body || this.#places.main.contains(element);
  }

  /** @param {string} words  for readers of screens */
  #say(words) {
    this.#news.textContent = words;
  }
}
