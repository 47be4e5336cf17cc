// Heartbeats, and servers that are dead.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FakePage } from './fakes.mjs';

const beats = (page) => page.socket.of('heartbeat').length;
const ack = (page) => page.socket.receive('heartbeat:ack', { server_time: page.clock.server });

test('a heartbeat every heartbeat_interval_s', () => {
  const page = new FakePage().join({ heartbeat_interval_s: 20 });
  for (let beat = 1; beat <= 5; beat += 1) {
    page.clock.advance(20_000);
    assert.equal(beats(page), beat);
    ack(page);
  }
});

test('in the queue heartbeats go out as often as board:queued says', () => {
  const page = new FakePage();
  page.client.connect();
  page.socket.open();
  const position = (n) => page.socket.receive('board:queued', {
    session_id: 'q', position: n, queue_length: 5, capacity: 1, user_id: 'ada', heartbeat_interval_s: 12,
  });
  position(5);
  page.clock.advance(8_000);
  position(4);
  page.clock.advance(3_999);
  assert.equal(beats(page), 0);
  page.clock.advance(1);
  assert.equal(beats(page), 1);
  assert.equal(page.client.userId, 'ada');
});

test('no answer within 10 s: a new socket, the same session', () => {
  const page = new FakePage().join();
  page.clock.advance(30_000 + 10_000);
  assert.equal(page.client.state, 'reconnecting');
  assert.equal(page.sockets[0].closedWith.code, 4000);
  page.clock.advance(500);
  assert.equal(page.socket.url.searchParams.get('session_id'), 's1');
});

test('any frame is an answer', () => {
  const page = new FakePage().join();
  page.clock.advance(35_000);
  page.socket.receive('presence:cursors', { cursors: [], timestamp: 0 });
  page.clock.advance(10_000);
  assert.equal(page.client.state, 'joined');
});

test('late timers of a hidden tab are no proof of a dead server', () => {
  const page = new FakePage().join();
  page.clock.advance(30_000);
  page.clock.sleep(60_000); // the answer lies behind the timers in the event loop
  page.clock.advance(0);
  assert.equal(page.client.state, 'joined');
  ack(page);
  page.clock.advance(20_000);
  assert.equal(page.client.state, 'joined');
});

test('a server that is gone after a sleep is noticed', () => {
  const page = new FakePage().join();
  page.echoes = false;
  page.clock.advance(30_000);
  page.clock.sleep(3_600_000);
  page.clock.advance(10_000);
  assert.equal(page.client.state, 'reconnecting');
});

test('a change of network is a reason to ask', () => {
  for (const type of ['online', 'offline']) {
    const page = new FakePage().join();
    page.window.dispatchEvent(new Event(type));
    assert.equal(beats(page), 1, type);
    page.clock.advance(10_000);
    assert.equal(page.client.state, 'reconnecting');
  }
});

test('a tab brought to the front asks when it was quiet', () => {
  const page = new FakePage().join();
  page.visibility('hidden');
  page.visibility('visible');
  assert.equal(beats(page), 0);
  page.clock.advance(6_000);
  page.visibility('hidden');
  page.visibility('visible');
  assert.equal(beats(page), 1);
});
