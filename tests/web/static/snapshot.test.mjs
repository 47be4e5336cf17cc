// One frozen value per change, as React's useSyncExternalStore and its like want it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FakePage, user } from './fakes.mjs';

test('a snapshot stays the same value until something changes', () => {
  const page = new FakePage();
  assert.equal(page.client.snapshot, page.client.snapshot);
  assert.deepEqual(page.client.snapshot, {
    board: 'demo', state: 'new', status: { state: 'new' }, users: [], others: [], self: null, queue: null,
  });
  page.join({ current_users: [user('ada'), user('bob')] });
  const joined = page.client.snapshot;
  assert.equal(joined.state, 'joined');
  assert.equal(joined.self.user_id, 'ada');
  assert.deepEqual(joined.others.map(({ user_id }) => user_id), ['bob']);
  page.socket.receive('user:left', { user_id: 'bob', reason: 'disconnect' });
  assert.notEqual(page.client.snapshot, joined);
  assert.equal(page.client.snapshot, page.client.snapshot);
  assert.deepEqual(joined.users.map(({ user_id }) => user_id), ['ada', 'bob'], 'the old one stays as it was');
});

test('it is frozen', () => {
  const { snapshot } = new FakePage().join().client;
  for (const value of [snapshot, snapshot.users, snapshot.others]) assert.ok(Object.isFrozen(value));
});

test('subscribers are told of each change, and meet the new snapshot', () => {
  const page = new FakePage();
  const states = [];
  const end = page.client.subscribe(() => states.push(page.client.snapshot.state));
  page.client.addEventListener('state', () => assert.equal(page.client.snapshot.state, page.client.state));
  page.join();
  assert.deepEqual(states, ['connecting', 'connecting', 'joined']);
  end();
  end();
  page.socket.receive('user:joined', { user: user('bob') });
  assert.equal(states.length, 3);
});

test('the same function may subscribe twice', () => {
  const page = new FakePage();
  let calls = 0;
  const count = () => (calls += 1);
  const end = page.client.subscribe(count);
  page.client.subscribe(count);
  end();
  page.client.connect();
  assert.equal(calls, 1);
});

test('a cursor that moves is no change', () => {
  const page = new FakePage().join();
  const before = page.client.snapshot;
  page.socket.receive('presence:cursors', { cursors: [['ada', 1, 2]] });
  assert.equal(page.client.snapshot, before);
});

test('in the queue it has the place', () => {
  const page = new FakePage();
  page.client.connect();
  page.socket.open();
  const queued = { session_id: 's1', position: 2, queue_length: 3, capacity: 1, user_id: 'ada', heartbeat_interval_s: 30 };
  page.socket.receive('board:queued', { ...queued, eta_s: 40 });
  assert.deepEqual(page.client.snapshot.queue, { position: 2, queueLength: 3, capacity: 1, etaS: 40 });
  assert.equal(page.client.status.etaS, 40);
});
