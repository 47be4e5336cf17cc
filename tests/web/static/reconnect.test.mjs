// When the client comes back, how soon, and as whom (specification, section 6).

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BACKOFF_BASE_MS, backoffMs, planAfterClose } from '../../../presence_server/web/static/presence-close.js';
import { FakePage } from './fakes.mjs';

const RESUMING = [1001, 1005, 1006, 1008, 1009, 1011, 1012, 3000, 4429, 4508, 4999];
const STARTING_OVER = [1013, 4408];
const FINAL = [1000, 1002, 1007, 4400, 4401, 4403, 4409, 4410, 4413];

for (const code of RESUMING) {
  test(`close ${code}: comes back with its session`, () => {
    const page = new FakePage().join();
    page.socket.drop(code);
    assert.equal(page.client.state, 'reconnecting');
    page.clock.advance(BACKOFF_BASE_MS);
    assert.equal(page.sockets.length, 2);
    assert.equal(page.socket.url.searchParams.get('session_id'), 's1');
  });
}

for (const code of STARTING_OVER) {
  test(`close ${code}: comes back as a new session`, () => {
    const page = new FakePage().join();
    page.socket.drop(code);
    page.clock.advance(BACKOFF_BASE_MS);
    assert.equal(page.sockets.length, 2);
    assert.equal(page.socket.url.searchParams.get('session_id'), null);
  });
}

for (const code of FINAL) {
  test(`close ${code}: stays away, and leaves nothing running`, () => {
    const page = new FakePage().join();
    page.socket.drop(code, 'why');
    assert.deepEqual(page.client.status, { state: 'closed', code, reason: 'why' });
    assert.equal(page.clock.pending, 0);
    page.window.dispatchEvent(new Event('online'));
    page.clock.advance(3_600_000);
    assert.equal(page.sockets.length, 1);
  });
}

for (const code of [1002, 1007, 4400, 4401, 4403, 4409, 4410]) {
  test(`close ${code}: connecting again by hand ${code < 1010 ? 'resumes' : 'is a new session'}`, () => {
    const page = new FakePage().join();
    page.socket.drop(code);
    page.client.connect();
    assert.equal(page.socket.url.searchParams.get('session_id'), code < 1010 ? 's1' : null);
  });
}

test('1012 waits exactly as long as its reason says', () => {
  const page = new FakePage().join();
  page.socket.drop(1012, '{"retry_after_ms": 7000}');
  assert.equal(page.client.status.retryAt, page.clock.wall + 7000);
  page.clock.advance(6999);
  assert.equal(page.sockets.length, 1);
  page.clock.advance(1);
  assert.equal(page.sockets.length, 2);
});

test('1012 with a reason that is no JSON backs off', () => {
  for (const reason of ['', 'restart', '{"retry_after_ms": "soon"}', '{"retry_after_ms": -1}', 'null']) {
    assert.deepEqual(planAfterClose(1012, reason, 9999), {
      reconnect: true, keepSession: true, full: false, waitMs: null,
    });
  }
});

test('1013 is a full board: it waits as long as BOARD_FULL said', () => {
  const page = new FakePage();
  page.client.connect();
  page.socket.open();
  page.socket.receive('error', { code: 'BOARD_FULL', message: 'full', retry_after_ms: 5000 });
  page.socket.drop(1013);
  assert.deepEqual(page.client.status, { state: 'full', code: 1013, retryAt: page.clock.wall + 5000, retryInMs: 5000 });
  page.clock.advance(4999);
  assert.equal(page.sockets.length, 1);
  page.clock.advance(1);
  assert.equal(page.sockets.length, 2);
});

test('4429 waits as long as RATE_LIMITED said', () => {
  const page = new FakePage().join();
  page.socket.receive('error', { code: 'RATE_LIMITED', message: 'slow down', retry_after_ms: 10_000 });
  page.socket.drop(4429);
  page.clock.advance(9999);
  assert.equal(page.sockets.length, 1);
  page.clock.advance(1);
  assert.equal(page.socket.url.searchParams.get('session_id'), 's1');
});

test('a wait from an earlier connection is not used for a later close', () => {
  const page = new FakePage().join();
  page.socket.receive('error', { code: 'RATE_LIMITED', message: '', retry_after_ms: 60_000 });
  page.socket.drop(1006);
  page.clock.advance(BACKOFF_BASE_MS);
  page.admit();
  page.socket.drop(4429);
  assert.ok(page.client.status.retryAt <= page.clock.wall + BACKOFF_BASE_MS);
});

test('backoff doubles, is capped, and its jitter is the whole of it', () => {
  const longest = [0, 1, 2, 3, 20, 5000].map((attempt) => backoffMs(attempt, () => 1));
  assert.deepEqual(longest, [500, 1000, 2000, 4000, 30_000, 30_000]);
  assert.equal(backoffMs(9, () => 0), 0);
});

test('each failure in a row waits longer', () => {
  const page = new FakePage();
  page.client.connect();
  const waits = [];
  for (let attempt = 0; attempt < 4; attempt += 1) {
    page.socket.drop();
    waits.push(page.client.status.retryAt - page.clock.wall);
    page.clock.advance(waits.at(-1));
  }
  assert.deepEqual(waits, [250, 500, 1000, 2000]);
});

test('a connection that held starts the backoff over; one that died at once does not', () => {
  const page = new FakePage().join();
  page.socket.drop(1011);
  page.clock.advance(250);
  page.admit();
  page.socket.drop(1011);
  assert.equal(page.client.status.retryAt - page.clock.wall, 500);
  page.clock.advance(500);
  page.admit();
  page.clock.advance(10_000);
  page.socket.drop(1011);
  assert.equal(page.client.status.retryAt - page.clock.wall, 250);
});

test('the network coming back ends a backoff at once', () => {
  const page = new FakePage().join();
  page.socket.drop();
  page.window.dispatchEvent(new Event('online'));
  assert.equal(page.sockets.length, 2);
  page.clock.advance(BACKOFF_BASE_MS);
  assert.equal(page.sockets.length, 2);
});

test('a tab that becomes visible ends a backoff at once', () => {
  const page = new FakePage().join();
  page.visibility('hidden');
  page.socket.drop();
  page.visibility('visible');
  assert.equal(page.sockets.length, 2);
});

test('neither shortens a wait the server asked for', () => {
  const page = new FakePage().join();
  page.socket.drop(1012, '{"retry_after_ms": 4000}');
  page.window.dispatchEvent(new Event('online'));
  page.visibility('visible');
  assert.equal(page.sockets.length, 1);
  page.clock.advance(4000);
  assert.equal(page.sockets.length, 2);
});

test('a server that takes the connection and says nothing is given up', () => {
  const page = new FakePage();
  page.client.connect();
  page.socket.open();
  page.clock.advance(15_000);
  assert.equal(page.client.state, 'reconnecting');
  assert.equal(page.sockets[0].closedWith.code, 4000);
  page.clock.advance(BACKOFF_BASE_MS);
  assert.equal(page.sockets.length, 2);
});

test('a socket that was given up is not listened to any more', () => {
  const page = new FakePage();
  page.client.connect();
  page.clock.advance(15_000);
  const [old] = page.sockets;
  page.clock.advance(BACKOFF_BASE_MS);
  old.drop(4410);
  old.receive('board:joined', {});
  assert.notEqual(page.client.state, 'closed');
  assert.notEqual(page.client.state, 'joined');
});

test('an address that can not be one is refused at once', () => {
  assert.throws(() => new FakePage({ server: 'https://[' }), TypeError);
});

test('connect() while under way does nothing', () => {
  const page = new FakePage().join();
  page.client.connect();
  page.socket.drop();
  page.client.connect();
  assert.equal(page.sockets.length, 1);
});
