// The client's copy of the board follows the server's events.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FakePage, user } from './fakes.mjs';

const changes = (page) => page.events.filter(([type]) => type === 'users').map(([, detail]) => detail);

test('board:joined is the whole board', () => {
  const page = new FakePage().join({ current_users: [user('ada'), user('bob', { status: 'idle' })] });
  assert.deepEqual([...page.client.users.keys()], ['ada', 'bob']);
  assert.equal(page.client.self.user_id, 'ada');
  assert.equal(page.client.userId, 'ada');
  assert.deepEqual(page.client.status, { state: 'joined', resumed: false, capacity: 100 });
});

test('users join, change and leave', () => {
  const page = new FakePage().join();
  page.socket.receive('user:joined', { user: user('bob'), timestamp: 1 });
  assert.equal(changes(page).at(-1).kind, 'joined');
  page.socket.receive('presence:update', {
    user_id: 'bob', status: 'away', connected: false, metadata: { tool: 'pen' }, timestamp: 2,
  });
  assert.deepEqual(page.client.users.get('bob'), user('bob', {
    status: 'away', connected: false, metadata: { tool: 'pen' },
  }));
  page.socket.receive('user:left', { user_id: 'bob', reason: 'timeout', timestamp: 3 });
  assert.equal(page.client.users.has('bob'), false);
  const last = changes(page).at(-1);
  assert.deepEqual([last.kind, last.user.user_id, last.reason], ['left', 'bob', 'timeout']);
});

test('cursors move, vanish, and strangers have none', () => {
  const page = new FakePage().join({ current_users: [user('ada'), user('bob')] });
  page.socket.receive('presence:cursors', { cursors: [['bob', 3, 4], ['eve', 1, 1]], timestamp: 1 });
  assert.deepEqual(page.client.users.get('bob').cursor, { x: 3, y: 4 });
  assert.deepEqual(page.events.at(-1), ['cursors', { cursors: [['bob', 3, 4]] }]);
  page.socket.receive('presence:cursors', { cursors: [['bob', null, null]], timestamp: 2 });
  assert.equal(page.client.users.get('bob').cursor, null);
});

test('events about people who are not there change nothing', () => {
  const page = new FakePage().join();
  const before = changes(page).length;
  page.socket.receive('user:left', { user_id: 'eve', reason: 'disconnect', timestamp: 1 });
  page.socket.receive('presence:update', { user_id: 'eve', status: 'idle', connected: true });
  assert.equal(changes(page).length, before);
});

test('a kept user object does not change under its keeper', () => {
  const page = new FakePage().join();
  const kept = page.client.self;
  page.socket.receive('presence:cursors', { cursors: [['ada', 1, 2]], timestamp: 1 });
  assert.equal(kept.cursor, null);
});

test('a drop keeps the copy, and the next snapshot replaces it', () => {
  const page = new FakePage().join({ current_users: [user('ada'), user('bob')] });
  page.socket.drop();
  assert.equal(page.client.users.size, 2);
  page.window.dispatchEvent(new Event('online'));
  page.admit({ resumed: true, current_users: [user('ada'), user('cyd')] });
  assert.deepEqual([...page.client.users.keys()], ['ada', 'cyd']);
  assert.equal(page.client.status.resumed, true);
});

test('who waits sees the board, if the server allows it, and then joins it', () => {
  const page = new FakePage().join({ current_users: [user('ada'), user('bob')] });
  page.socket.drop(4408);
  page.window.dispatchEvent(new Event('online'));
  page.socket.open();
  const place = { session_id: 'q', queue_length: 2, capacity: 2, user_id: 'ada', heartbeat_interval_s: 30 };
  page.socket.receive('board:queued', { ...place, position: 2 });
  page.socket.receive('board:watching', { current_users: [user('bob'), user('cyd')] });
  assert.deepEqual(page.client.status, { state: 'queued', position: 2, queueLength: 2, capacity: 2, watching: true });
  page.socket.receive('user:left', { user_id: 'cyd', reason: 'disconnect' });
  page.socket.receive('presence:cursors', { cursors: [['bob', 1, 2]] });
  page.socket.receive('board:queued', { ...place, position: 1 });
  assert.equal(page.client.status.watching, true);
  assert.deepEqual([...page.client.users.values()], [user('bob', { cursor: { x: 1, y: 2 } })]);
  assert.equal(page.client.self, null);
  page.socket.receive('board:joined', {
    session_id: 'q', resumed: false, self: user('ada'), current_users: [user('bob'), user('ada')], capacity: 2,
    heartbeat_interval_s: 30, idle_after_s: 60, away_after_s: 180,
  });
  assert.deepEqual([page.client.state, page.client.users.size, page.client.status.watching], ['joined', 2, undefined]);
});

test('without the board the queue shows its position, and no people', () => {
  const page = new FakePage().join({ current_users: [user('ada'), user('bob')] });
  page.socket.drop(4408);
  page.window.dispatchEvent(new Event('online'));
  page.socket.open();
  page.socket.receive('board:queued', { session_id: 'q', position: 3, queue_length: 12, capacity: 2, user_id: 'ada', heartbeat_interval_s: 30 });
  assert.deepEqual(page.client.status, { state: 'queued', position: 3, queueLength: 12, capacity: 2 });
  assert.equal(page.client.users.size, 0);
  page.socket.receive('board:queued', { session_id: 'q', position: 2, queue_length: 11, capacity: 2, user_id: 'ada', heartbeat_interval_s: 30 });
  assert.equal(page.client.status.position, 2);
  page.socket.receive('board:joined', {
    session_id: 'q', resumed: false, self: user('ada'), current_users: [user('ada')], capacity: 2,
    heartbeat_interval_s: 30, idle_after_s: 60, away_after_s: 180,
  });
  assert.equal(page.client.state, 'joined');
});

test('frames that are not of this protocol are left alone', () => {
  const page = new FakePage().join();
  const before = page.events.length;
  for (const data of ['', '{', 'null', '7', '[]', '{"type":"user:joined"}', '{"type":"x","payload":{}}']) {
    page.socket.raw(data);
  }
  assert.equal(page.events.length, before);
});

test('a Yjs frame is handed on, and one is sent while joined only', () => {
  const page = new FakePage();
  assert.equal(page.client.sendBinary(new Uint8Array([1])), false);
  page.join();
  page.socket.raw(new ArrayBuffer(2));
  assert.equal(page.events.at(-1)[0], 'binary');
  assert.equal(page.client.sendBinary(new Uint8Array([1])), true);
  assert.equal(page.socket.sent.at(-1).length, 1);
});

test('an error is passed on', () => {
  const page = new FakePage().join();
  page.socket.receive('error', { code: 'INVALID_MESSAGE', message: 'payload.cursor' });
  assert.deepEqual(page.events.at(-1), ['error', { code: 'INVALID_MESSAGE', message: 'payload.cursor' }]);
  assert.equal(page.client.state, 'joined');
});
