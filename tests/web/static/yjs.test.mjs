// The provider for Yjs: what it sends and when, and what the page sees of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { PresenceYjsProvider } from '../../../presence_server/web/static/presence-yjs.js';
import {
  AWARENESS, awarenessMessage, readMessage, STEP_1, STEP_2, syncMessage, UPDATE, Writer,
} from '../../../presence_server/web/static/presence-yjs-wire.js';
import * as Y from '../../../presence_server/web/static/vendor/yjs.js';
import { FakePage } from './fakes.mjs';

const EMPTY = new Uint8Array([0, 0]);

/** A page with a provider, and the server's side of its document. */
class Scene {
  server = new Y.Doc();
  doc = new Y.Doc();
  heard = [];
  #read = 0;

  constructor(context, { awareness = false, options = {} } = {}) {
    this.page = new FakePage();
    this.awareness = awareness ? new Y.Awareness(this.doc) : undefined;
    this.provider = new PresenceYjsProvider(this.page.client, this.doc, { Y, awareness: this.awareness, ...options });
    for (const type of ['status', 'sync', 'denied']) {
      this.provider.addEventListener(type, ({ detail }) => this.heard.push([type, detail]));
    }
    context.after(() => this.doc.destroy()); // Awareness has a timer.
  }

  get text() {
    return this.doc.getText('text');
  }

  /** The binary messages that the page has sent on this connection since the last time. */
  sent() {
    const { sent } = this.page.socket;
    const news = sent.slice(this.#read).filter((data) => data instanceof Uint8Array);
    this.#read = sent.length;
    return news.map((data) => readMessage(data));
  }

  kinds() {
    return this.sent().map(({ kind }) => kind);
  }

  say(message) {
    this.page.socket.raw(message.slice().buffer);
  }

  join(changes) {
    this.page.join(changes);
    return this;
  }

  queue() {
    this.page.client.connect();
    this.page.socket.open();
    this.page.socket.receive('board:queued', {
      board_id: 'demo', session_id: 's1', user_id: 'ada', position: 1, queue_length: 1, capacity: 1,
      heartbeat_interval_s: 30, server_time: this.page.clock.server,
    });
    return this;
  }

  /** As the server answers sync step 1; it asks back those who may change the document. */
  answer({ asks = true, awareness = EMPTY.slice(1) } = {}) {
    this.say(syncMessage(STEP_2, Y.encodeStateAsUpdate(this.server)));
    if (asks) this.ask();
    this.say(awarenessMessage(awareness));
    return this;
  }

  ask() {
    this.say(syncMessage(STEP_1, Y.encodeStateVector(this.server)));
  }

  /** The server takes what the page has sent. */
  take() {
    for (const { kind, payload } of this.sent()) {
      if (kind === STEP_2 || kind === UPDATE) Y.applyUpdate(this.server, payload);
    }
    return this.server.getText('text').toString();
  }

  drop() {
    this.page.socket.drop();
  }

  /** The next connection, with the same session. */
  return() {
    this.page.clock.advance(30_000);
    this.#read = 0;
    this.page.admit({ resumed: true });
    return this;
  }
}

function entries(...list) {
  const writer = new Writer().numbers(list.length);
  for (const [client, clock, state] of list) writer.numbers(client, clock).text(JSON.stringify(state));
  return writer.done();
}

test('it asks for the document once the client has joined, and is synced when the answer is there', (context) => {
  const scene = new Scene(context);
  scene.server.getText('text').insert(0, 'old');
  assert.equal(scene.provider.status.status, 'disconnected');
  scene.page.client.connect();
  assert.equal(scene.provider.status.status, 'connecting');
  scene.page.admit();
  assert.deepEqual(scene.kinds(), [STEP_1]);
  assert.equal(scene.provider.synced, false);
  scene.answer();
  assert.equal(scene.text.toString(), 'old');
  assert.deepEqual(scene.provider.status, { status: 'connected', synced: true, saved: true, readOnly: false });
  assert.deepEqual(scene.heard.filter(([type]) => type === 'sync'), [['sync', true]]);
});

test('a client that has joined already is asked at once', (context) => {
  const scene = new Scene(context, { options: { connect: false } }).join();
  assert.deepEqual(scene.kinds(), []);
  scene.provider.connect();
  scene.provider.connect();
  assert.deepEqual(scene.kinds(), [STEP_1]);
});

test('changes go out one by one, and those of others do not go back', (context) => {
  const scene = new Scene(context).join().answer();
  scene.take();
  scene.text.insert(0, 'mine');
  assert.equal(scene.take(), 'mine');
  scene.server.getText('text').insert(4, ' and yours');
  scene.say(syncMessage(UPDATE, Y.encodeStateAsUpdate(scene.server)));
  assert.equal(scene.text.toString(), 'mine and yours');
  assert.deepEqual(scene.kinds(), []);
});

test('what was typed without a connection goes out when the server asks for it, and not before', (context) => {
  const scene = new Scene(context).join().answer();
  scene.drop();
  scene.text.insert(0, 'offline ');
  assert.equal(scene.provider.saved, false);
  scene.return();
  scene.text.insert(8, 'early');
  assert.deepEqual(scene.kinds(), [STEP_1]);
  scene.answer();
  assert.equal(scene.take(), 'offline early');
  scene.text.insert(0, 'online ');
  assert.deepEqual(scene.kinds(), [UPDATE]);
});

test('a browser that says it is offline and online again asks nothing twice', (context) => {
  const scene = new Scene(context).join().answer();
  scene.take();
  scene.page.window.dispatchEvent(new Event('offline'));
  scene.answer();
  assert.equal(scene.provider.synced, true);
  assert.deepEqual(scene.kinds().filter((kind) => kind === STEP_1), []);
});

test('a viewer is not asked for changes: the document is read-only, over a lost connection too', (context) => {
  const scene = new Scene(context).join().answer({ asks: false });
  assert.equal(scene.provider.readOnly, true);
  scene.sent();
  scene.text.insert(0, 'not for you');
  assert.deepEqual(scene.kinds(), []);
  scene.drop();
  scene.return();
  assert.equal(scene.provider.readOnly, true);
  // A newer token makes an editor of the viewer.
  scene.ask();
  assert.equal(scene.provider.readOnly, false);
  assert.equal(scene.take(), 'not for you');
});

test('awareness before the answer does not make a viewer', (context) => {
  const scene = new Scene(context).join();
  scene.say(awarenessMessage(entries([7, 1, {}])));
  assert.equal(scene.provider.readOnly, false);
});

test('a refusal is an event, and makes the document read-only until the server asks', (context) => {
  const scene = new Scene(context).join().answer();
  scene.text.insert(0, 'x');
  scene.say(new Writer().numbers(2, 0).text('look, but do not touch').done());
  assert.deepEqual(scene.heard.filter(([type]) => type === 'denied'), [['denied', { reason: 'look, but do not touch' }]]);
  assert.deepEqual(scene.provider.status, { status: 'connected', synced: true, saved: false, readOnly: true });
  scene.sent();
  scene.text.insert(1, 'y');
  assert.deepEqual(scene.kinds(), []);
  scene.ask();
  assert.equal(scene.take(), 'xy');
  assert.equal(scene.provider.saved, false);
  scene.page.socket.receive('document:stored', { updates: 1 });
  assert.equal(scene.provider.saved, true);
});

test('somebody who waits watches read-only, and is asked for what they typed when they are let in', (context) => {
  const scene = new Scene(context, { awareness: true }).queue();
  assert.deepEqual(scene.kinds(), [STEP_1]);
  scene.server.getText('text').insert(0, 'seen');
  scene.answer({ asks: false });
  assert.equal(scene.text.toString(), 'seen');
  assert.equal(scene.provider.readOnly, true);
  scene.text.insert(4, ' typed');
  assert.deepEqual(scene.kinds(), []);
  scene.page.admit();
  assert.deepEqual(scene.kinds(), [AWARENESS]);
  assert.equal(scene.provider.readOnly, true);
  scene.ask();
  assert.equal(scene.provider.readOnly, false);
  assert.equal(scene.take(), 'seen typed');
});

test('changes are saved once the server says that all their messages are durable', (context) => {
  const scene = new Scene(context).join().answer();
  scene.text.insert(0, 'a');
  scene.text.insert(0, 'b');
  assert.equal(scene.provider.saved, false);
  scene.page.socket.receive('document:stored', { updates: 1 });
  assert.equal(scene.provider.saved, false);
  scene.page.socket.receive('document:stored', { updates: 2 });
  assert.equal(scene.provider.saved, true);
  assert.deepEqual(scene.heard.at(-1), ['status', { status: 'connected', synced: true, saved: true, readOnly: false }]);
});

test('what the server has and has not stored is sent once more after a reconnect, and only that', (context) => {
  const scene = new Scene(context).join().answer();
  scene.text.insert(0, 'durable ');
  scene.page.socket.receive('document:stored', { updates: 1 });
  scene.text.insert(8, 'doubtful');
  scene.take();
  scene.drop();
  scene.return().answer();
  assert.equal(scene.provider.saved, false);
  const [{ payload }] = scene.sent().filter(({ kind }) => kind === STEP_2);
  const { structs } = Y.decodeUpdate(payload);
  assert.deepEqual(structs.map(({ content }) => content.str), ['doubtful']);
  scene.page.socket.receive('document:stored', { updates: 1 });
  assert.equal(scene.provider.saved, true);
});

test('what has been stored is not sent again', (context) => {
  const scene = new Scene(context).join().answer();
  scene.text.insert(0, 'durable');
  scene.take();
  scene.page.socket.receive('document:stored', { updates: 1 });
  scene.drop();
  scene.return().answer();
  assert.deepEqual(scene.sent().filter(({ kind }) => kind === STEP_2).map(({ payload }) => payload), [EMPTY]);
  assert.equal(scene.provider.saved, true);
});

test('a document that had something before goes to the server, and is saved when that is stored', (context) => {
  const scene = new Scene(context, { options: { connect: false } });
  scene.text.insert(0, 'from before');
  scene.provider.connect();
  scene.join().answer();
  assert.equal(scene.take(), 'from before');
  assert.equal(scene.provider.saved, false);
  scene.page.socket.receive('document:stored', { updates: 1 });
  assert.equal(scene.provider.saved, true);
});

test('an error of a listener of the document does not stop the provider', (context) => {
  const log = context.mock.method(console, 'error', () => {});
  const scene = new Scene(context);
  scene.text.observe(() => {
    throw new Error('of the page');
  });
  scene.server.getText('text').insert(0, 'x');
  scene.join().answer();
  assert.equal(scene.provider.synced, true);
  assert.match(String(log.mock.calls[0].arguments[1]), /of the page/);
});

test('disconnecting leaves the board alone, and connecting again asks for the rest', (context) => {
  const scene = new Scene(context, { awareness: true }).join().answer();
  scene.sent();
  scene.provider.disconnect();
  const [goodbye] = scene.sent();
  assert.match(new TextDecoder().decode(goodbye.payload), /null$/);
  assert.equal(scene.page.client.state, 'joined');
  assert.deepEqual(scene.provider.status, { status: 'disconnected', synced: false, saved: true, readOnly: false });
  scene.text.insert(0, 'apart');
  scene.answer();
  assert.deepEqual(scene.kinds(), []);
  scene.provider.connect();
  assert.deepEqual(scene.kinds(), [STEP_1, AWARENESS]);
  scene.answer();
  assert.equal(scene.take(), 'apart');
});

test('destroying it leaves no listener', (context) => {
  const scene = new Scene(context).join().answer();
  scene.provider.destroy();
  scene.sent();
  scene.text.insert(0, 'x');
  scene.answer();
  scene.drop();
  scene.return();
  assert.deepEqual(scene.kinds(), []);
  assert.equal(scene.doc._observers.get('update'), undefined);
});

test('a document that is destroyed takes its provider along', (context) => {
  const scene = new Scene(context).join().answer();
  scene.doc.destroy();
  assert.equal(scene.provider.status.status, 'disconnected');
});

test('on and off take functions of the detail, as the providers that come with Yjs', (context) => {
  const scene = new Scene(context);
  const heard = [];
  const listener = (isSynced) => heard.push(isSynced);
  scene.provider.on('sync', listener);
  scene.join().answer();
  scene.drop();
  scene.provider.off('sync', listener);
  scene.return().answer();
  assert.deepEqual(heard, [true, false]);
});

test('messages of kinds that nobody knows yet are ignored', (context) => {
  const scene = new Scene(context).join();
  scene.say(new Uint8Array([9, 1, 2]));
  scene.say(new Uint8Array([0, 9, 1, 0]));
  assert.deepEqual(scene.heard.filter(([type]) => type === 'denied'), []);
  scene.answer();
  assert.equal(scene.provider.synced, true);
});
