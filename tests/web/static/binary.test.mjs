// Binary frames on the socket of presence: when they are sent, and what they mean.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FakePage } from './fakes.mjs';

const QUEUED = {
  board_id: 'demo', session_id: 's1', user_id: 'ada', position: 1, queue_length: 1, capacity: 1, heartbeat_interval_s: 30,
};
const CHANGE = new Uint8Array([0, 2, 2, 0, 0]);
const QUESTION = new Uint8Array([0, 0, 1, 0]);

function queued() {
  const page = new FakePage();
  page.client.connect();
  page.socket.open();
  page.socket.receive('board:queued', { ...QUEUED, server_time: page.clock.server });
  return page;
}

test('somebody who waits may ask for the document', () => {
  const page = queued();
  assert.equal(page.client.sendBinary(QUESTION), true);
  assert.deepEqual(page.socket.sent.at(-1), QUESTION);
});

test('questions from the queue without an answer do not use up those of a member', () => {
  const page = queued();
  for (let n = 0; n < 20; n += 1) page.client.sendBinary(QUESTION);
  page.admit();
  assert.equal(page.client.sendBinary(QUESTION), true);
});

test('nothing is sent without a connection', () => {
  const page = new FakePage();
  assert.equal(page.client.sendBinary(QUESTION), false);
  page.join().socket.drop();
  assert.equal(page.client.sendBinary(QUESTION), false);
});

test('what is durable is passed on', () => {
  const page = new FakePage().join();
  page.socket.receive('document:stored', { updates: 3 });
  assert.deepEqual(page.events.at(-1), ['stored', { updates: 3 }]);
});

for (const [what, data, reports] of [['a change', CHANGE, 0], ['a question', QUESTION, 1]]) {
  test(`${what} ${reports === 0 ? 'is an activity for' : 'does not hide one from'} the server`, () => {
    const page = new FakePage().join();
    page.clock.advance(25_000);
    page.client.sendBinary(data);
    const before = page.socket.of('presence:update').length;
    page.input();
    assert.equal(page.socket.of('presence:update').length - before, reports);
  });
}
