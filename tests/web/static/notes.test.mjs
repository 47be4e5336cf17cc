// The notes of the demo board: what the document holds, and how text fields follow it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { difference, shifted } from '../../../presence_server/web/static/board-note-text.js';
import { Notes } from '../../../presence_server/web/static/board-notes-model.js';
import * as Y from '../../../presence_server/web/static/vendor/yjs.js';

/** Apply what was found. */
function replay(before, { index, remove, insert }) {
  return before.slice(0, index) + insert + before.slice(index + remove);
}

function addedTo(notes) {
  return notes.add(100, 100, 'mint');
}

test('what was typed is one replacement, at the cursor where letters repeat', () => {
  assert.deepEqual(difference('', 'a', 1), { index: 0, remove: 0, insert: 'a' });
  assert.deepEqual(difference('aaa', 'aaaa', 2), { index: 1, remove: 0, insert: 'a' });
  assert.deepEqual(difference('hello', 'help', 4), { index: 3, remove: 2, insert: 'p' });
  assert.deepEqual(difference('abc', 'ac', 1), { index: 1, remove: 1, insert: '' });
  assert.deepEqual(difference('same', 'same', 2), { index: 2, remove: 0, insert: '' });
});

test('no half of a surrogate pair is left alone', () => {
  // The two faces have the same first half, the last two the same second half.
  for (const [before, after] of [['🙂', '🙃'], ['a🙂b', 'a🙃b'], ['🙂', '𐀂'], ['\u{1F642}', '\u{1F242}'], ['🙂🙂', '🙂']]) {
    const found = difference(before, after, after.length);
    assert.equal(replay(before, found), after);
    for (const part of [found.insert, before.slice(0, found.index), before.slice(found.index + found.remove)]) {
      assert.equal(part, part.toWellFormed?.() ?? part);
    }
  }
});

test('any change of a text is found', () => {
  let seed = 7;
  const pick = (limit) => (seed = (seed * 48_271) % 2_147_483_647) % limit;
  const word = () => Array.from({ length: pick(6) }, () => ['a', 'b', '🙂', '🙃'][pick(4)]).join('');
  for (let n = 0; n < 5_000; n += 1) {
    const [before, after] = [word(), word()];
    assert.equal(replay(before, difference(before, after, pick(after.length + 1))), after);
  }
});

test('a cursor stays at its word while others type and delete', () => {
  const place = 5;
  assert.equal(shifted(place, [{ insert: 'abc' }]), 8);
  assert.equal(shifted(place, [{ retain: 5 }, { insert: 'abc' }]), 5);
  assert.equal(shifted(place, [{ retain: 2 }, { delete: 2 }]), 3);
  assert.equal(shifted(place, [{ retain: 4 }, { delete: 9 }]), 4);
  assert.equal(shifted(place, [{ retain: 1 }, { insert: 'xy' }, { delete: 1 }, { retain: 9 }, { insert: 'z' }]), 6);
});

test('a note is inside of the board, above the others, and told', () => {
  const notes = new Notes();
  const told = [];
  notes.observe((ids) => told.push([...ids]));
  const first = addedTo(notes);
  const second = notes.add(5_000, -3, 'sky');
  assert.deepEqual({ ...notes.read(second), text: notes.read(second).text.toString() }, { x: 1400, y: 0, z: 2, color: 'sky', text: '' });
  notes.move(first, 20.4, 30);
  assert.deepEqual([notes.read(first).x, notes.read(first).z], [20, 3]);
  notes.paint(first, 'rose');
  notes.remove(second);
  assert.equal(notes.read(second), null);
  assert.deepEqual(told, [[first], [second], [first], [first], [second]]);
});

test('what another program writes is made sound', () => {
  const notes = new Notes();
  const map = notes.doc.getMap('notes');
  map.set('odd', new Y.Map([['x', 'left'], ['y', NaN], ['z', 1e300], ['color', 'red'], ['text', 7]]));
  assert.deepEqual(notes.read('odd'), { x: 0, y: 0, z: 1_000_000, color: 'lemon', text: null });
  map.set('worse', 'a note');
  assert.equal(notes.read('worse'), null);
  notes.move('worse', 1, 1);
  notes.paint('worse', 'sky');
});

test('a note that was deleted comes back with all of its words', () => {
  const notes = new Notes();
  let steps = 0;
  notes.observeSteps(() => (steps += 1));
  const id = addedTo(notes);
  notes.do(() => notes.read(id).text.insert(0, 'mine'));
  notes.doc.transact(() => notes.read(id).text.insert(4, ' and yours'), 'somebody else');
  notes.remove(id);
  assert.equal(notes.read(id), null);
  notes.undo();
  assert.equal(notes.read(id).text.toString(), 'mine and yours');
  assert.deepEqual([notes.canUndo, notes.canRedo], [true, true]);
  assert.ok(steps > 0);
});

test('undo takes back one’s own words only', () => {
  const notes = new Notes();
  const id = addedTo(notes);
  notes.do(() => notes.read(id).text.insert(0, 'mine'));
  notes.doc.transact(() => notes.read(id).text.insert(4, ' and yours'), 'somebody else');
  notes.undo();
  assert.equal(notes.read(id).text.toString(), ' and yours');
  notes.redo();
  assert.equal(notes.read(id).text.toString(), 'mine and yours');
});
