// A text field that shows a Y.Text: what is typed goes into it, and what others type shows, while
// the cursor stays where it is in the words.

/** @typedef {import('./vendor/yjs.js').Text} YText */
/** @typedef {{insert?: any, delete?: number, retain?: number}[]} Delta */

/** Binds one field to one text. */
export class TextBinding {
  #field;
  #text;
  #change;
  #listening = new AbortController();
  /** What the field showed when it was last equal to the text. */
  #shown = '';
  #isComposing = false;
  /** What others have typed during a composition. @type {Delta[]} */
  #missed = [];

  /**
   * @param {HTMLTextAreaElement} field
   * @param {YText} text
   * @param {(change: () => void) => void} change  makes a change of the document
   */
  constructor(field, text, change) {
    this.#field = field;
    this.#text = text;
    this.#change = change;
    const { signal } = this.#listening;
    field.addEventListener('input', () => this.#typed(), { signal });
    field.addEventListener('compositionstart', () => (this.#isComposing = true), { signal });
    field.addEventListener('compositionend', () => this.#composed(), { signal });
    text.observe(this.#changed);
    this.#show();
  }

  end() {
    this.#listening.abort();
    this.#text.unobserve(this.#changed);
  }

  #typed() {
    if (this.#isComposing) return;
    const { index, remove, insert } = difference(this.#shown, this.#field.value, this.#field.selectionEnd);
    const start = this.#missed.reduce(shifted, index);
    const end = this.#missed.reduce(shifted, index + remove);
    this.#missed = [];
    // So that the text's own event finds the field up to date.
    this.#shown = this.#field.value;
    this.#change(() => {
      if (end > start) this.#text.delete(start, end - start);
      if (insert) this.#text.insert(start, insert);
    });
  }

  #composed() {
    this.#isComposing = false;
    // Taking others' words into the field would have ended the composition.
    const caret = this.#missed.reduce(shifted, this.#field.selectionEnd);
    this.#typed();
    this.#show();
    this.#field.setSelectionRange(caret, caret);
  }

  /** @param {{delta: Delta}} event */
  #changed = ({ delta }) => {
    if (this.#isComposing) this.#missed.push(delta);
    else if (this.#text.toString() !== this.#field.value) this.#take(delta);
  };

  /** @param {Delta} delta */
  #take(delta) {
    const { selectionStart, selectionEnd, selectionDirection, scrollTop } = this.#field;
    this.#show();
    if (document.activeElement !== this.#field) return;
    this.#field.setSelectionRange(shifted(selectionStart, delta), shifted(selectionEnd, delta), selectionDirection);
    this.#field.scrollTop = scrollTop;
  }

  #show() {
    this.#shown = this.#text.toString();
    if (this.#field.value !== this.#shown) this.#field.value = this.#shown;
  }
}

/**
 * What was changed in a text, as one replacement. No half of a surrogate pair is left alone.
 *
 * @param {string} before
 * @param {string} after
 * @param {number} caret  in `after`, behind what was typed
 */
export function difference(before, after, caret) {
  const grown = after.length - before.length;
  const most = Math.min(before.length, after.length);
  // As much as possible behind the caret stays: of two equal letters the one that was typed is new.
  let tail = 0;
  const tailMost = Math.min(most, after.length - Math.min(caret, after.length));
  while (tail < tailMost && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  let index = 0;
  while (index < most - tail && before[index] === after[index]) index += 1;
  while (tail < most - index && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  if (isLow(before, before.length - tail) || isLow(after, after.length - tail)) tail -= 1;
  if (index > 0 && (isLow(before, index) || isLow(after, index))) index -= 1;
  return { index, remove: before.length - tail - index, insert: after.slice(index, before.length - tail + grown) };
}

/** Whether there is the second half of a surrogate pair. @param {string} text  @param {number} index */
function isLow(text, index) {
  const unit = text.charCodeAt(index);
  return unit >= 0xdc00 && unit < 0xe000;
}

/**
 * Where a place in a text is after a change.
 *
 * @param {number} place
 * @param {Delta} delta
 * @returns {number}
 */
export function shifted(place, delta) {
  let at = 0;
  for (const { insert, delete: gone = 0, retain = 0 } of delta) {
    if (at > place) break;
    if (typeof insert === 'string') {
      if (at < place) place += insert.length;
      at += insert.length;
    }
    place -= Math.min(gone, Math.max(place - at, 0));
    at += retain;
  }
  return place;
}
