// Heartbeats, dead servers, and tokens that run out.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { expiryOf } from '../../../presence_server/web/static/presence-token.js';
import { FakePage, settle } from './fakes.mjs';

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

// --- tokens ---------------------------------------------------------------------

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const jwt = (expiresAtMs, name = 'x') =>
  `${encode({ alg: 'HS256' })}.${encode({ exp: expiresAtMs / 1000, name })}.signature`;

test('a token goes into the subprotocol, never into the address', () => {
  const page = new FakePage({ token: 'a.b.c' });
  page.client.connect();
  assert.deepEqual(page.socket.protocols, ['presence.v1', 'bearer.a.b.c']);
  assert.ok(!page.socket.url.href.includes('a.b.c'));
});

test('when a JWT expires can be read, and nonsense is no date', () => {
  assert.equal(expiryOf(jwt(1_700_000_000_000, 'Zoë ☂')), 1_700_000_000_000);
  for (const token of ['', 'a', 'a.b.c', `a.${encode({})}.c`, `a.${encode({ exp: 'soon' })}.c`]) {
    assert.equal(expiryOf(token), null);
  }
});

test('each connection asks for a token anew', async () => {
  let asked = 0;
  const page = new FakePage({ getToken: async () => `t${++asked}` });
  page.client.connect();
  await settle();
  page.admit();
  page.socket.drop();
  page.window.dispatchEvent(new Event('online'));
  await settle();
  assert.deepEqual(page.sockets.map(({ protocols }) => protocols[1]), ['bearer.t1', 'bearer.t2']);
});

test('a token is renewed well before it expires', async () => {
  const start = new FakePage().clock.now;
  let lifetimeMs = 3_600_000;
  const page = new FakePage({ getToken: () => jwt(page.clock.server + lifetimeMs) });
  page.client.connect();
  await settle();
  page.admit({ heartbeat_interval_s: 36_000 });
  page.clock.advance(lifetimeMs - 150_001);
  await settle();
  assert.equal(page.socket.of('auth:refresh').length, 0);
  lifetimeMs = 7_200_000;
  page.clock.advance(1);
  await settle();
  const [{ token }] = page.socket.of('auth:refresh');
  assert.equal(expiryOf(token), page.clock.server + lifetimeMs);
  page.socket.receive('auth:refreshed', { expires_at: page.clock.server + lifetimeMs });
  page.clock.advance(lifetimeMs - 150_000);
  await settle();
  assert.equal(page.socket.of('auth:refresh').length, 2);
  assert.ok(page.clock.now > start);
});

test('a renewal the server refuses is tried again while the old token stands', async () => {
  const page = new FakePage({ getToken: () => jwt(page.clock.server + 400_000) });
  page.client.connect();
  await settle();
  page.admit({ heartbeat_interval_s: 36_000 });
  page.clock.advance(250_000);
  await settle();
  page.socket.receive('error', { code: 'UNAUTHORIZED', message: 'no' });
  page.clock.advance(75_000);
  await settle();
  assert.equal(page.socket.of('auth:refresh').length, 2);
  assert.equal(page.client.state, 'joined');
});

test('no token to be had: backs off, and says so', async () => {
  let works = false;
  const page = new FakePage({
    getToken: async () => {
      if (!works) throw new Error('signed out');
      return 'good';
    },
  });
  page.client.connect();
  await settle();
  assert.equal(page.client.state, 'reconnecting');
  assert.equal(page.events.find(([type]) => type === 'error')[1].code, 'TOKEN_UNAVAILABLE');
  works = true;
  page.clock.advance(500);
  await settle();
  assert.equal(page.socket.protocols[1], 'bearer.good');
});

test('a getToken that never answers is given up', async () => {
  const page = new FakePage({ getToken: () => new Promise(() => {}) });
  page.client.connect();
  page.clock.advance(15_000);
  await settle();
  assert.equal(page.client.state, 'reconnecting');
});

test('a token that comes after leave() opens no connection', async () => {
  let give;
  const page = new FakePage({ getToken: () => new Promise((resolve) => (give = resolve)) });
  page.client.connect();
  await page.client.leave();
  give('late');
  await settle();
  assert.equal(page.sockets.length, 0);
  assert.equal(page.client.state, 'closed');
});
