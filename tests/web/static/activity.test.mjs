// Active, idle and away, and what of it goes over the wire.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FakePage, user } from './fakes.mjs';

const statuses = (page) => page.socket.of('presence:update').map(({ status }) => status);

test('a fresh join needs no words: new sessions are online', () => {
  assert.deepEqual(statuses(new FakePage().join()), []);
});

test('a resumed session says how it is, for the server may think otherwise', () => {
  assert.deepEqual(statuses(new FakePage().join({ resumed: true })), ['active']);
});

test('quiet: idle, then away, at the thresholds of board:joined', () => {
  const page = new FakePage().join({ idle_after_s: 10, away_after_s: 25 });
  page.clock.advance(9_999);
  assert.deepEqual(statuses(page), []);
  page.clock.advance(1);
  assert.deepEqual(statuses(page), ['idle']);
  page.clock.advance(14_999);
  assert.deepEqual(statuses(page), ['idle']);
  page.clock.advance(1);
  assert.deepEqual(statuses(page), ['idle', 'away']);
});

test('input brings the person back at once', () => {
  const page = new FakePage().join({ idle_after_s: 10, away_after_s: 25 });
  page.clock.advance(30_000);
  page.input();
  assert.deepEqual(statuses(page), ['idle', 'away', 'active']);
});

test('continuous input: at least every half idle_after_s, and not for every event', () => {
  const page = new FakePage().join({ idle_after_s: 10, away_after_s: 25, heartbeat_interval_s: 900 });
  const times = [page.clock.now];
  for (let step = 0; step < 1000; step += 1) {
    page.clock.advance(100);
    page.input();
    if (statuses(page).length === times.length) times.push(page.clock.now);
  }
  const gaps = times.slice(1).map((time, index) => time - times[index]);
  assert.ok(gaps.length >= 20 && gaps.length <= 25, `${gaps.length} reports in 100 s`);
  assert.ok(Math.max(...gaps) <= 5_000, `a gap of ${Math.max(...gaps)} ms`);
  assert.ok(statuses(page).every((status) => status === 'active'));
});

test('the last input of a burst is reported, too', () => {
  const page = new FakePage().join({ idle_after_s: 10, away_after_s: 25 });
  page.clock.advance(3_000);
  page.input();
  assert.deepEqual(statuses(page), []);
  page.clock.advance(2_000);
  assert.deepEqual(statuses(page), ['active']);
});

test('a moving cursor is report enough', () => {
  const page = new FakePage().join({ idle_after_s: 10, away_after_s: 25 });
  for (let step = 0; step < 100; step += 1) {
    page.clock.advance(200);
    page.client.moveCursor(step, step);
    page.input();
  }
  assert.ok(statuses(page).every((status) => status === undefined));
});

test('a tab that is hidden for 3 seconds is away, and back at once', () => {
  const page = new FakePage().join();
  page.visibility('hidden');
  page.clock.advance(2_999);
  assert.deepEqual(statuses(page), []);
  page.clock.advance(51);
  page.visibility('visible');
  assert.deepEqual(statuses(page), ['away', 'active']);
});

test('a glance at another tab is not seen', () => {
  const page = new FakePage().join();
  for (let glance = 0; glance < 5; glance += 1) {
    page.visibility('hidden');
    page.clock.advance(2_000);
    page.visibility('visible');
    page.clock.advance(2_000);
  }
  assert.equal(statuses(page).includes('away'), false);
});

test('the page may say how long a glance is', () => {
  const page = new FakePage({ hiddenAfterMs: 0 }).join();
  page.visibility('hidden');
  page.clock.advance(1);
  assert.deepEqual(statuses(page), ['away']);
});

test('a hidden page that is left says nothing more', () => {
  const page = new FakePage().join();
  page.visibility('hidden');
  page.clock.advance(1_000);
  page.window.dispatchEvent(new Event('pagehide'));
  page.clock.advance(5_000);
  assert.deepEqual(statuses(page), []);
});

test('a page that joins in the background says so', () => {
  const page = new FakePage();
  page.document.visibilityState = 'hidden';
  assert.deepEqual(statuses(page.join()), ['away']);
});

test('a reload does not show as away', () => {
  const page = new FakePage().join();
  page.hide();
  page.clock.advance(1_000_000);
  assert.deepEqual(statuses(page), []);
});

test('back from the back/forward cache the person is active', () => {
  const page = new FakePage().join({ idle_after_s: 10, away_after_s: 25 });
  page.clock.advance(10_000);
  page.hide();
  page.clock.advance(50);
  page.restore();
  assert.deepEqual(statuses(page), ['idle', 'active']);
});

test('a status chosen by hand outlasts input, and is repeated with it', () => {
  const page = new FakePage().join({ idle_after_s: 10, away_after_s: 25 });
  page.client.setStatus('away');
  page.input();
  page.clock.advance(4_000);
  page.input();
  assert.deepEqual(statuses(page), ['away', 'away']);
  page.clock.advance(50);
  page.client.setStatus('online');
  assert.deepEqual(statuses(page), ['away', 'away', 'active']);
});

test('a cursor that moves while away by hand does not bring the person back', () => {
  const page = new FakePage().join();
  page.client.setStatus('idle');
  page.client.moveCursor(1, 2);
  page.clock.advance(50);
  assert.deepEqual(page.socket.of('presence:update').at(-1), { cursor: { x: 1, y: 2 }, status: 'idle' });
});

test('idle by hand in a hidden tab is away', () => {
  const page = new FakePage().join();
  page.client.setStatus('idle');
  page.clock.advance(50);
  page.visibility('hidden');
  page.clock.advance(3_050);
  page.visibility('visible');
  page.clock.advance(50);
  assert.deepEqual(statuses(page), ['idle', 'away', 'idle']);
});

test('nothing is said while there is nobody to say it to', () => {
  const page = new FakePage();
  page.client.connect();
  page.socket.open();
  page.client.setStatus('away');
  page.client.moveCursor(1, 1);
  page.socket.receive('board:queued', { session_id: 'q', position: 1, queue_length: 1, capacity: 1, user_id: 'ada', heartbeat_interval_s: 30 });
  page.client.setMetadata({ a: 1 });
  assert.deepEqual(page.socket.sent, []);
});
