// One tab, one session: over reloads, duplicates and the back/forward cache.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { serverRoot } from '../../../presence_server/web/static/presence-address.js';
import { PresenceClient } from '../../../presence_server/web/static/presence-client.js';
import { FakePage, FakeStorage, user } from './fakes.mjs';

const sessionOf = (page) => page.socket.url.searchParams.get('session_id');

test('the first connection has the identity and no session', () => {
  const page = new FakePage({ display_name: 'Ada & Co', color: '#112233', avatar_url: 'https://x/y' });
  page.client.connect();
  const { url, protocols } = page.socket;
  assert.equal(url.origin, 'wss://boards.example');
  assert.equal(url.pathname, '/ws/boards/demo');
  assert.deepEqual(Object.fromEntries(url.searchParams), {
    user_id: 'ada', display_name: 'Ada & Co', color: '#112233', avatar_url: 'https://x/y', watch: '1',
  });
  assert.deepEqual(protocols, ['presence.v1']);
});

test('another server, with a path before ours', () => {
  const page = new FakePage({ server: 'http://other.example:81/presence/' });
  page.client.connect();
  assert.equal(page.socket.url.origin, 'ws://other.example:81');
  assert.equal(page.socket.url.pathname, '/presence/ws/boards/demo');
});

test('the server is where the module came from, with a path before it too', () => {
  const page = 'https://app.example/notes/7';
  assert.equal(serverRoot(page, 'https://p.example/static/presence-bar.js'), 'https://p.example/');
  assert.equal(serverRoot(page, 'https://p.example/a/static/presence-bar.js?v=2'), 'https://p.example/a/');
  assert.equal(serverRoot(page, 'https://p.example/a/static/dist/presence.js'), 'https://p.example/a/');
  assert.equal(serverRoot(page, 'https://p.example/a/static/v/0123abcd/presence-bar.js'), 'https://p.example/a/');
  assert.equal(serverRoot(page, 'https://p.example/static/v/0123abcd/dist/presence.js'), 'https://p.example/');
  assert.equal(serverRoot(page, 'https://cdn.example/npm/presence.js'), 'https://app.example/');
  assert.equal(serverRoot(page, 'file:///x/static/presence-bar.js'), 'https://app.example/');
});

test('a board id that the server would refuse, or an address cannot have, is refused here', () => {
  for (const board of ['', 'a/b', 'ä', 'x'.repeat(129), '.', '..']) {
    assert.throws(() => new PresenceClient({ board }), TypeError);
  }
});

test('a reload resumes the session', () => {
  const before = new FakePage().join();
  before.hide();
  const after = new FakePage({}, before.storage);
  after.client.connect();
  assert.equal(sessionOf(after), 's1');
});

test('a duplicated tab starts a session of its own', () => {
  const original = new FakePage().join();
  const duplicate = new FakePage({}, original.storage.copy());
  duplicate.client.connect();
  assert.equal(sessionOf(duplicate), null);
});

test('a tab duplicated after a reload starts a session of its own, too', () => {
  const before = new FakePage().join();
  before.hide();
  const after = new FakePage({}, before.storage).join({ resumed: true });
  const duplicate = new FakePage({}, after.storage.copy());
  duplicate.client.connect();
  assert.equal(sessionOf(duplicate), null);
});

test('a place in the queue is resumed over a reload', () => {
  const before = new FakePage();
  before.client.connect();
  before.socket.open();
  before.socket.receive('board:queued', { session_id: 'q1', position: 2, queue_length: 3, capacity: 1, user_id: 'ada', heartbeat_interval_s: 30 });
  before.hide();
  const after = new FakePage({}, before.storage);
  after.client.connect();
  assert.equal(sessionOf(after), 'q1');
});

test('after a clean leave a reload starts a new session', () => {
  const before = new FakePage().join();
  before.client.leave();
  before.socket.drop(1000);
  before.hide();
  const after = new FakePage({}, before.storage);
  after.client.connect();
  assert.equal(sessionOf(after), null);
});

test('back from the back/forward cache with a dead socket: resumes at once', () => {
  const page = new FakePage().join();
  page.hide();
  page.socket.readyState = 3;
  page.restore();
  assert.equal(page.sockets.length, 2);
  assert.equal(sessionOf(page), 's1');
  assert.equal(page.storage.getItem('presence:session:demo'), null);
});

test('back from the back/forward cache with a socket that seems open: asks it', () => {
  const page = new FakePage().join();
  page.hide();
  page.restore();
  assert.equal(page.sockets.length, 1);
  assert.equal(page.socket.of('heartbeat').length, 1);
});

test('blocked storage costs nothing but the resume', () => {
  const blocked = new FakeStorage();
  blocked.getItem = blocked.setItem = () => {
    throw new Error('blocked');
  };
  const page = new FakePage({}, blocked).join();
  page.hide();
  assert.equal(page.client.state, 'joined');
});

test('leave() says so, and waits for the server to close', async () => {
  const page = new FakePage().join();
  const left = page.client.leave();
  assert.equal(page.socket.of('board:leave').length, 1);
  assert.equal(page.client.state, 'joined');
  page.socket.drop(1000);
  await left;
  assert.deepEqual(page.client.status, { state: 'closed', code: 1000, reason: 'left' });
  assert.equal(page.client.users.size, 0);
  page.clock.advance(3_600_000);
  assert.equal(page.sockets.length, 1);
});

test('leave() closes by itself when the server does not', async () => {
  const page = new FakePage().join();
  const left = page.client.leave();
  page.clock.advance(2_000);
  await left;
  assert.equal(page.socket.closedWith.code, 1000);
});

test('leave() while the socket opens leaves as soon as it is open', async () => {
  const page = new FakePage();
  page.client.connect();
  const left = page.client.leave();
  page.socket.open();
  assert.equal(page.socket.of('board:leave').length, 1);
  page.socket.drop(1000);
  await left;
});

test('leave() while detached goes back to give up the seat', async () => {
  const page = new FakePage().join();
  page.socket.drop();
  const left = page.client.leave();
  assert.equal(sessionOf(page), 's1');
  page.socket.open();
  assert.equal(page.socket.of('board:leave').length, 1);
  page.socket.drop(1000);
  await left;
  assert.equal(page.sockets.length, 2);
});

test('leave() twice settles both', async () => {
  const page = new FakePage().join();
  const both = Promise.all([page.client.leave(), page.client.leave()]);
  page.socket.drop(1000);
  await both;
  await page.client.leave();
  assert.equal(page.socket.of('board:leave').length, 1);
});

test('rejoining after a leave is a new session', () => {
  const page = new FakePage().join();
  page.client.leave();
  page.socket.drop(1000);
  page.client.connect();
  assert.equal(sessionOf(page), null);
  assert.equal(page.client.state, 'connecting');
});

// --- leaving, and thinking better of it ---------------------------------------------

test('connect, leave, connect before the socket is open: one socket, and no leave', async () => {
  const page = new FakePage();
  page.client.connect();
  const left = page.client.leave();
  page.client.connect();
  await left;
  page.admit();
  assert.deepEqual(page.states(), ['connecting', 'joined']);
  assert.equal(page.sockets.length, 1);
  assert.deepEqual(page.socket.of('board:leave'), []);
  page.clock.advance(10_000);
  assert.equal(page.client.state, 'joined');
});

test('connect after a leave that is said already: joins again when it has left', async () => {
  const page = new FakePage().join();
  const left = page.client.leave();
  page.client.connect();
  page.socket.drop(1000);
  await left;
  assert.deepEqual(page.states(), ['connecting', 'joined', 'closed', 'connecting']);
  page.admit();
  assert.equal(page.client.state, 'joined');
});

test('leave, connect, leave: leaves', async () => {
  const page = new FakePage().join();
  const both = [page.client.leave()];
  page.client.connect();
  both.push(page.client.leave());
  page.socket.drop(1000);
  await Promise.all(both);
  assert.equal(page.client.state, 'closed');
  assert.equal(page.sockets.length, 1);
});

test('leave, connect while detached: resumes', () => {
  const page = new FakePage().join();
  page.socket.drop();
  page.client.leave();
  page.client.connect();
  page.admit({ resumed: true });
  assert.equal(page.client.state, 'joined');
  assert.deepEqual(page.socket.of('board:leave'), []);
});

test('another user id is a leave and a join', () => {
  const page = new FakePage({ display_name: 'Ada' }).join();
  page.client.setProfile({ user_id: 'eve', display_name: 'Ada' });
  assert.equal(page.socket.of('board:leave').length, 1);
  page.socket.drop(1000);
  assert.equal(page.socket.url.searchParams.get('user_id'), 'eve');
});

test('a new token goes out at once, and with the next connection', () => {
  const page = new FakePage({ token: 'a.b.c' }).join();
  page.client.setToken('d.e.f');
  assert.deepEqual(page.socket.of('auth:refresh'), [{ token: 'd.e.f' }]);
  page.socket.drop();
  page.window.dispatchEvent(new Event('online'));
  assert.equal(page.socket.protocols[1], 'bearer.d.e.f');
});

// --- guests -----------------------------------------------------------------------

const GUEST = user('guest-ab12cd34', { display_name: 'Guest ab12' });
const identityOf = (page) => {
  const { searchParams } = page.socket.url;
  return [searchParams.get('user_id'), searchParams.get('display_name'), searchParams.get('session_id')];
};
const guestPage = (storage) => new FakePage({ user_id: undefined }, storage);

test('a guest resumes as the guest that the server made, after a drop and over a reload', () => {
  const page = guestPage();
  page.client.connect();
  assert.deepEqual(identityOf(page), [null, null, null]);
  page.admit({ self: GUEST });
  page.socket.drop();
  page.window.dispatchEvent(new Event('online'));
  assert.deepEqual(identityOf(page), ['guest-ab12cd34', 'Guest ab12', 's1']);
  page.admit({ self: GUEST, resumed: true });
  page.hide();
  const after = guestPage(page.storage);
  after.client.connect();
  assert.deepEqual(identityOf(after), ['guest-ab12cd34', 'Guest ab12', 's1']);
});

test('a guest in the queue takes up the place again', () => {
  const page = guestPage();
  page.client.connect();
  page.socket.open();
  page.socket.receive('board:queued', {
    session_id: 'q', position: 1, queue_length: 1, capacity: 1, user_id: 'guest-ab12cd34', heartbeat_interval_s: 30,
  });
  page.socket.drop();
  page.window.dispatchEvent(new Event('online'));
  assert.deepEqual(identityOf(page), ['guest-ab12cd34', null, 'q']);
});

test('a guest whose session is gone is still the same guest; after a leave a new one', () => {
  const page = guestPage();
  page.client.connect();
  page.admit({ self: GUEST });
  page.socket.drop(4408);
  page.window.dispatchEvent(new Event('online'));
  assert.deepEqual(identityOf(page), ['guest-ab12cd34', 'Guest ab12', null]);
  page.admit({ self: GUEST });
  page.client.leave();
  page.socket.drop(1000);
  page.client.connect();
  assert.deepEqual(identityOf(page), [null, null, null]);
});

test('a duplicated tab of a guest is another guest', () => {
  const page = guestPage();
  page.client.connect();
  page.admit({ self: GUEST });
  const duplicate = guestPage(page.storage.copy());
  duplicate.client.connect();
  assert.deepEqual(identityOf(duplicate), [null, null, null]);
});

test('who has a user_id or a token is named by it, not by what the server says', () => {
  for (const options of [{ user_id: 'ada' }, { user_id: undefined, token: 'a.b.c' }]) {
    const page = new FakePage(options).join({ self: user('somebody') });
    page.socket.drop();
    page.window.dispatchEvent(new Event('online'));
    assert.equal(page.socket.url.searchParams.get('user_id'), options.user_id ?? null);
  }
});
