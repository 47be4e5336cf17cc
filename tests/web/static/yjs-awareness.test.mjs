// Awareness through the provider, and the bytes of its messages.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { PresenceYjsProvider } from '../../../presence_server/web/static/presence-yjs.js';
import {
  awarenessMessage, commonVector, Reader, readMessage, STEP_2, syncMessage, Writer,
} from '../../../presence_server/web/static/presence-yjs-wire.js';
import * as Y from '../../../presence_server/web/static/vendor/yjs.js';
import { FakePage } from './fakes.mjs';

const QUERY = new Uint8Array([3]);
const NO_CHANGE = syncMessage(STEP_2, new Uint8Array([0, 0]));

/** A page whose document has awareness. */
function scene(context) {
  const page = new FakePage();
  const doc = new Y.Doc();
  const awareness = new Y.Awareness(doc);
  context.after(() => doc.destroy());
  const provider = new PresenceYjsProvider(page.client, doc, { Y, awareness });
  const changes = [];
  awareness.on('change', (change, origin) => origin === provider && changes.push(change));
  const say = (message) => page.socket.raw(message.slice().buffer);
  return {
    page,
    awareness,
    provider,
    changes,
    say,
    /** @param {...[number, number, any]} list */
    others: (...list) => say(awarenessMessage(write(list))),
    sent: () => {
      const sent = page.socket.sent.splice(0).filter((data) => data instanceof Uint8Array).map((data) => readMessage(data));
      return sent.filter(({ kind }) => kind === 'awareness').flatMap(({ payload }) => read(payload));
    },
    lose: () => page.socket.drop(),
    return: () => {
      page.clock.advance(30_000);
      page.admit({ resumed: true });
    },
  };
}

function write(list) {
  const writer = new Writer().numbers(list.length);
  for (const [client, clock, state] of list) writer.numbers(client, clock).text(JSON.stringify(state));
  return writer.done();
}

function read(payload) {
  const reader = new Reader(payload);
  const found = [];
  for (let count = reader.number(); count > 0; count -= 1) {
    found.push([reader.number(), reader.number(), JSON.parse(reader.text())]);
  }
  return found;
}

test('one’s own state goes out on joining and with each change, and nobody else’s', (context) => {
  const { page, awareness, sent, others } = scene(context);
  const id = awareness.clientID;
  page.join();
  assert.deepEqual(sent(), [[id, 1, {}]]);
  awareness.setLocalStateField('color', 'red');
  assert.deepEqual(sent(), [[id, 2, { color: 'red' }]]);
  others([7, 1, { at: 1 }], [8, 4, { at: 2 }]);
  assert.deepEqual(sent(), []);
  awareness.setLocalState(null);
  assert.deepEqual(sent(), [[id, 3, null]]);
});

test('nothing is said before the client has joined, and the newest after it', (context) => {
  const { page, awareness, sent } = scene(context);
  awareness.setLocalStateField('color', 'red');
  page.join();
  assert.deepEqual(sent(), [[awareness.clientID, 2, { color: 'red' }]]);
});

test('the states of others are shown as y-protocols shows them', (context) => {
  const { page, awareness, changes, others } = scene(context);
  page.join();
  others([7, 1, { at: 1 }], [8, 0, { at: 2 }]);
  others([7, 2, { at: 3 }], [8, 1, { at: 2 }]);
  others([7, 1, { at: 'old' }], [8, 1, null]);
  assert.deepEqual(changes, [
    { added: [7, 8], updated: [], removed: [] },
    { added: [], updated: [7], removed: [] },
    { added: [], updated: [], removed: [8] },
  ]);
  assert.deepEqual(awareness.getStates().get(7), { at: 3 });
  assert.equal(awareness.getStates().has(8), false);
});

test('a server that does not know one’s own state any more is told it with a higher clock', (context) => {
  const { page, awareness, sent, others } = scene(context);
  page.join();
  const [[id, clock]] = sent();
  others([id, clock, null]);
  assert.deepEqual(sent(), [[id, clock + 1, {}]]);
  assert.deepEqual(awareness.getLocalState(), {});
});

test('a server that asks hears one’s own state', (context) => {
  const { page, awareness, sent, say } = scene(context);
  page.join();
  sent();
  say(QUERY);
  assert.deepEqual(sent(), [[awareness.clientID, 1, {}]]);
});

test('others stay while the connection is lost; of those that are not there after it none is left', (context) => {
  const { page, awareness, changes, say, others, lose, return: comeBack } = scene(context);
  page.join();
  say(NO_CHANGE);
  others([7, 1, { at: 1 }], [8, 1, { at: 2 }]);
  lose();
  assert.equal(awareness.getStates().size, 3);
  comeBack();
  say(NO_CHANGE);
  others([7, 1, { at: 1 }]);
  assert.deepEqual([...awareness.getStates().keys()], [awareness.clientID, 7]);
  assert.deepEqual(changes.at(-1), { added: [], updated: [], removed: [8] });
  // With the clock that was known: the removal was this client's own idea.
  others([8, 1, { at: 2 }]);
  assert.deepEqual(awareness.getStates().get(8), { at: 2 });
});

test('whoever leaves the board sees nobody any more', async (context) => {
  const { page, awareness, others } = scene(context);
  page.join();
  others([7, 1, { at: 1 }]);
  page.client.leave();
  page.socket.drop(1000);
  assert.deepEqual([...awareness.getStates().keys()], [awareness.clientID]);
});

test('after each reconnect the state has a higher clock', (context) => {
  const { page, sent, lose, return: comeBack } = scene(context);
  page.join();
  const [[, before]] = sent();
  lose();
  comeBack();
  const [[, after]] = sent();
  assert.ok(after > before);
});

test('numbers of 53 bits and texts of other scripts come through', () => {
  for (const number of [0, 127, 128, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    assert.equal(new Reader(new Writer().numbers(number).done()).number(), number);
  }
  assert.equal(new Reader(new Writer().text('é漢🙂').done()).text(), 'é漢🙂');
});

for (const [what, bytes] of [
  ['cut off', [1, 5, 1]], ['empty', []], ['a number over 53 bits', [1, ...Array(9).fill(255)]],
]) {
  test(`a message that is ${what} is an error`, () => {
    assert.throws(() => readMessage(new Uint8Array(bytes).buffer), RangeError);
  });
}

test('what two state vectors have in common is the lower clock of each client of both', () => {
  const vector = (...clocks) => new Writer().numbers(clocks.length / 2, ...clocks).done();
  assert.deepEqual(commonVector(vector(1, 5, 2, 9), vector(2, 4, 3, 7)), vector(2, 4));
  assert.deepEqual(commonVector(vector(1, 5), new Uint8Array([0])), vector());
});
