// A clock that somebody sets, or that is wrong, changes nothing but what is told to people.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

import { FakePage, settle } from './fakes.mjs';

const STATIC = new URL('../../../presence_server/web/static/', import.meta.url);
const HOUR_MS = 3_600_000;
const jwt = (expiresAtMs) => `e30.${btoa(JSON.stringify({ exp: expiresAtMs / 1000 }))}.c`;
const statuses = (page) => page.socket.of('presence:update').map(({ status }) => status);

for (const jumpMs of [-HOUR_MS, HOUR_MS, -20_000, 365 * 24 * HOUR_MS]) {
  test(`the clock jumps by ${jumpMs / 1000} s: cursors, idle and heartbeats go on`, () => {
    const page = new FakePage().join({ idle_after_s: 10, away_after_s: 25 });
    page.client.moveCursor(1, 1);
    page.clock.advance(100);
    page.clock.offset += jumpMs;
    page.client.moveCursor(2, 2);
    page.clock.advance(100);
    assert.equal(page.socket.of('presence:update').at(-1).cursor.x, 2);
    page.clock.advance(10_000);
    assert.equal(statuses(page).at(-1), 'idle');
    page.clock.advance(20_000);
    assert.equal(statuses(page).at(-1), 'away');
    page.input();
    assert.equal(statuses(page).at(-1), 'active');
    assert.equal(page.socket.of('heartbeat').length, 1);
  });
}

test('a wait is the same length, whatever the clock says meanwhile', () => {
  const page = new FakePage().join();
  page.socket.drop(1012, '{"retry_after_ms": 7000}');
  assert.equal(page.client.status.retryAt, page.clock.wall + 7000);
  assert.equal(page.client.status.retryInMs, 7000);
  page.clock.offset -= HOUR_MS;
  page.clock.advance(7000);
  assert.equal(page.sockets.length, 2);
});

for (const wrongMs of [-20_000, 20_000, -HOUR_MS, HOUR_MS]) {
  test(`a clock that is ${wrongMs / 1000} s off: a token of 30 s is renewed in time`, async () => {
    let asked = 0;
    const page = new FakePage({ getToken: () => { asked += 1; return jwt(page.clock.server + 30_000); } });
    page.clock.offset += wrongMs;
    page.client.connect();
    await settle();
    page.admit();
    page.clock.advance(14_999);
    await settle();
    assert.equal(asked, 1);
    page.clock.advance(1);
    await settle();
    assert.equal(page.socket.of('auth:refresh').length, 1);
  });
}

test("the server's time is told by a wrong clock, too", () => {
  const page = new FakePage();
  page.clock.offset -= HOUR_MS;
  page.join();
  page.clock.advance(1_000);
  assert.equal(page.client.serverTime, page.clock.server);
});

test('no other file of the client library reads the clock of the machine', () => {
  const readers = readdirSync(STATIC)
    .filter((name) => name.endsWith('.js'))
    .filter((name) => /Date\.now|new Date\(\)/.test(readFileSync(new URL(name, STATIC), 'utf8')));
  // y-protocols notes by that clock when it last heard of a client.
  assert.deepEqual(readers, ['presence-environment.js', 'presence-yjs-awareness.js']);
});
