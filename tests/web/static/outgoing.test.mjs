// Which of the values that the page sets are sent, how fast, and until when.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FakePage, user } from './fakes.mjs';

const cursorsOf = (page) => page.socket.of('presence:update').map(({ cursor }) => cursor);

test('cursors: the first at once, then the newest every 50 ms, the last one always', () => {
  const page = new FakePage().join();
  for (let x = 0; x < 11; x += 1) {
    page.client.moveCursor(x, 0);
    page.clock.advance(10);
  }
  page.clock.advance(1_000);
  assert.deepEqual(cursorsOf(page).map(({ x }) => x), [0, 4, 9, 10]);
});

test('null takes the cursor away', () => {
  const page = new FakePage().join();
  page.client.moveCursor(5, 5);
  page.client.moveCursor(null);
  page.clock.advance(50);
  assert.deepEqual(cursorsOf(page), [{ x: 5, y: 5 }, null]);
});

test('a congested socket gets the newest cursor once it has drained', () => {
  const page = new FakePage().join();
  page.socket.bufferedAmount = 1_000_000;
  page.client.moveCursor(1, 1);
  page.clock.advance(200);
  page.client.moveCursor(2, 2);
  assert.deepEqual(page.socket.sent, []);
  page.socket.bufferedAmount = 0;
  page.clock.advance(50);
  assert.deepEqual(cursorsOf(page), [{ x: 2, y: 2 }]);
});

test('RATE_LIMITED silences the cursor for as long as it says', () => {
  const page = new FakePage().join();
  page.socket.receive('error', { code: 'RATE_LIMITED', message: '', retry_after_ms: 700 });
  page.client.moveCursor(1, 1);
  page.clock.advance(699);
  assert.deepEqual(page.socket.sent, []);
  page.clock.advance(1);
  assert.deepEqual(cursorsOf(page), [{ x: 1, y: 1 }]);
});

test('what changed while detached is told on resuming, and nothing else', () => {
  const page = new FakePage().join();
  page.client.setMetadata({ tool: 'pen' });
  page.client.moveCursor(1, 1);
  page.clock.advance(50);
  page.socket.drop();
  page.client.moveCursor(9, 9);
  page.window.dispatchEvent(new Event('online'));
  page.admit({ resumed: true, self: user('ada', { metadata: { tool: 'pen' }, cursor: { x: 1, y: 1 } }) });
  assert.deepEqual(page.socket.of('presence:update'), [{ cursor: { x: 9, y: 9 }, status: 'active' }]);
});

test('a new session is told all over again', () => {
  const page = new FakePage().join();
  page.client.setMetadata({ tool: 'pen' });
  page.client.moveCursor(1, 1);
  page.clock.advance(50);
  page.socket.drop(4408);
  page.window.dispatchEvent(new Event('online'));
  page.admit({ self: user('ada') });
  assert.deepEqual(page.socket.of('presence:update'), [
    { metadata: { tool: 'pen' }, cursor: { x: 1, y: 1 } },
  ]);
});

// --- the newest value always arrives ----------------------------------------------

const metadataOf = (page) => page.socket.of('presence:update').map(({ metadata }) => metadata);

test('a hundred changes in a row: one pace for all, and the others get the last one', () => {
  const page = new FakePage().join({ updates_per_s: 40 });
  for (let n = 1; n <= 101; n += 1) page.client.setMetadata({ n });
  page.client.setStatus('away');
  page.clock.advance(1_000);
  assert.deepEqual(page.socket.of('presence:update'), [
    { metadata: { n: 1 } }, { metadata: { n: 101 }, status: 'away' },
  ]);
});

test('120 changes of everything a second stay within the pace of board:joined', () => {
  const page = new FakePage().join({ updates_per_s: 10 });
  for (let n = 1; n <= 120; n += 1) {
    page.client.setMetadata({ n });
    page.client.moveCursor(n, n);
    page.client.setStatus(n % 2 ? 'away' : 'online');
    page.clock.advance(1000 / 120);
  }
  assert.ok(page.socket.of('presence:update').length <= 11);
  page.clock.advance(100);
  assert.deepEqual(page.socket.of('presence:update').at(-1), {
    metadata: { n: 120 }, cursor: { x: 120, y: 120 }, status: 'active',
  });
});

test('a page may ask for a slower pace than the server, not for a faster one', () => {
  for (const [cursorIntervalMs, updates_per_s, sent] of [[200, 20, 6], [10, 20, 21], [undefined, 20, 21]]) {
    const page = new FakePage({ cursorIntervalMs }).join({ updates_per_s });
    for (let x = 0; x <= 200; x += 1) {
      page.client.moveCursor(x, 0);
      page.clock.advance(5);
    }
    assert.equal(page.socket.of('presence:update').length, sent);
  }
});

test('what the server drops with RATE_LIMITED is sent again when it may be', () => {
  const page = new FakePage().join();
  page.echoes = false;
  page.client.setMetadata({ n: 1 });
  page.socket.receive('error', { code: 'RATE_LIMITED', message: '', retry_after_ms: 300 });
  page.clock.advance(299);
  assert.equal(metadataOf(page).length, 1);
  page.clock.advance(1);
  assert.deepEqual(metadataOf(page), [{ n: 1 }, { n: 1 }]);
});

test('what the server drops in silence, soon after RATE_LIMITED, is sent again as well', () => {
  const page = new FakePage().join();
  page.echoes = false;
  page.socket.receive('error', { code: 'RATE_LIMITED', message: '', retry_after_ms: 20 });
  page.clock.advance(100);
  page.client.setMetadata({ n: 1 });
  page.clock.advance(999);
  assert.deepEqual(metadataOf(page), [{ n: 1 }]);
  for (let second = 0; second < 30; second += 1) {
    page.clock.advance(1_000);
    page.socket.receive('heartbeat:ack', { server_time: 0 });
  }
  assert.ok(metadataOf(page).length >= 2 && metadataOf(page).length <= 4);
});

test('what was on its way when the socket broke is sent again on resuming', () => {
  const page = new FakePage().join();
  page.echoes = false;
  page.client.setMetadata({ n: 1 });
  page.client.moveCursor(3, 4);
  page.clock.advance(50);
  page.socket.drop();
  page.window.dispatchEvent(new Event('online'));
  page.admit({ resumed: true });
  assert.deepEqual(page.socket.of('presence:update'), [
    { metadata: { n: 1 }, cursor: { x: 3, y: 4 }, status: 'active' },
  ]);
});

test('the newer value of another tab is left alone', () => {
  const page = new FakePage().join();
  page.client.setMetadata({ mine: 1 });
  page.clock.advance(10);
  page.echo(page.socket, { metadata: { theirs: 2 } });
  page.clock.advance(1_000);
  assert.equal(page.socket.of('heartbeat').length, 1, 'it asks whether its own has arrived');
  page.socket.receive('heartbeat:ack', { server_time: 0 });
  page.clock.advance(20_000);
  page.socket.drop();
  page.window.dispatchEvent(new Event('online'));
  page.admit({ resumed: true, self: user('ada', { metadata: { theirs: 2 } }) });
  assert.deepEqual(metadataOf(page), [undefined]);
});

test('what the server shows needs no question', () => {
  const page = new FakePage().join();
  page.client.setMetadata({ n: 1 });
  page.client.moveCursor(3, 4);
  page.clock.advance(20_000);
  assert.equal(page.socket.of('heartbeat').length, 0);
});

test('what the server calls bad is not sent again', () => {
  const page = new FakePage().join();
  page.echoes = false;
  page.client.setMetadata({ n: 1 });
  page.socket.receive('error', { code: 'INVALID_MESSAGE', message: '' });
  page.clock.advance(5_000);
  assert.deepEqual(metadataOf(page), [{ n: 1 }]);
  assert.equal(page.socket.of('heartbeat').length, 0);
});

test('the last values go out before a leave: another tab of the person keeps them', () => {
  const page = new FakePage().join();
  for (let n = 1; n <= 3; n += 1) page.client.setMetadata({ n });
  page.client.leave();
  assert.deepEqual(page.socket.sent.map(({ type }) => type), ['presence:update', 'presence:update', 'board:leave']);
  assert.deepEqual(metadataOf(page).at(-1), { n: 3 });
});
