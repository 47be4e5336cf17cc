// The browser says that there is no network: that shows at once, and the socket is kept.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FakePage } from './fakes.mjs';

const offline = (page) => page.window.dispatchEvent(new Event('offline'));
const shown = (page) => page.events.filter(([type]) => type === 'state').map(([, status]) => [status.state, status.offline]);

test('it shows at once, and the socket is tried', () => {
  const page = new FakePage().join();
  page.events.length = 0;
  offline(page);
  offline(page);
  assert.deepEqual(shown(page), [['joined', true]]);
  assert.equal(page.socket.of('heartbeat').length, 1);
  assert.equal(page.sockets.length, 1);
  assert.equal(page.client.status.capacity, 100);
});

test('a server that is heard again ends it', () => {
  const page = new FakePage().join();
  offline(page);
  page.window.dispatchEvent(new Event('online'));
  assert.equal(page.client.status.offline, true);
  page.socket.receive('heartbeat:ack', { server_time: 1 });
  assert.equal(page.client.status.offline, undefined);
  assert.deepEqual(shown(page).at(-1), ['joined', undefined]);
});

test('while it reconnects it shows as well, until a new socket works', () => {
  const page = new FakePage().join();
  offline(page);
  page.clock.advance(10_000);
  assert.deepEqual(shown(page).at(-1), ['reconnecting', true]);
  page.window.dispatchEvent(new Event('online'));
  page.admit({ resumed: true });
  assert.deepEqual(shown(page).at(-1), ['joined', undefined]);
});

test('a client that is not on a board does not show it', async () => {
  const page = new FakePage().join();
  offline(page);
  page.client.leave();
  page.socket.drop(1000);
  offline(page);
  assert.deepEqual(shown(page).at(-1), ['closed', undefined]);
});
