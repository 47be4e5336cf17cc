// How a client changes the way it is shown: nobody leaves for it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FakePage, user } from './fakes.mjs';

const ADA = { user_id: 'ada', display_name: 'Ada', color: '#010203' };

/** Ada is on the board, and says no more by herself. */
function joined(changes = {}) {
  const page = new FakePage(ADA);
  page.join({ self: user('ada', { display_name: 'Ada', color: '#010203' }), ...changes });
  return page;
}

const changes = (page) => page.socket.of('profile:update');

test('only the fields that change are sent; null stands for the default', () => {
  const page = joined();
  page.client.setProfile({ user_id: 'ada', display_name: 'Ada L.' });
  assert.deepEqual(changes(page), [{ display_name: 'Ada L.', color: null }]);
  assert.deepEqual(page.socket.of('board:leave'), []);
});

test('the same profile is nothing', () => {
  const page = joined();
  page.client.setProfile(ADA);
  assert.deepEqual(page.socket.sent, []);
});

test('it is not an update of the presence', () => {
  const page = joined();
  page.client.setProfile({ ...ADA, display_name: 'Ada L.' });
  assert.deepEqual(page.socket.of('presence:update'), []);
});

test('what a burst of changes comes to is sent at the pace of updates', () => {
  const page = joined();
  for (const display_name of ['A', 'B', 'C']) page.client.setProfile({ ...ADA, display_name });
  page.client.setProfile({ ...ADA, display_name: 'C', avatar_url: 'https://x.example/a' });
  page.clock.advance(60);
  assert.deepEqual(changes(page), [
    { display_name: 'A' }, { display_name: 'C', avatar_url: 'https://x.example/a' },
  ]);
});

test('the others and the user itself see it', () => {
  const page = joined({ current_users: [user('ada'), user('eve')] });
  page.socket.receive('user:updated', { user: user('eve', { display_name: 'Eve E' }), timestamp: 1 });
  page.socket.receive('user:updated', { user: user('zed'), timestamp: 1 });
  assert.equal(page.client.users.get('eve').display_name, 'Eve E');
  assert.equal(page.client.users.has('zed'), false);
  assert.deepEqual(page.events.at(-1)[1].kind, 'updated');
});

test('in the queue it is said at once, and again when the user joins', () => {
  const page = new FakePage(ADA);
  page.client.connect();
  page.socket.open();
  page.socket.receive('board:queued', { session_id: 's1', position: 1, queue_length: 1, user_id: 'ada', heartbeat_interval_s: 30 });
  page.client.setProfile({ ...ADA, display_name: 'Ada L.' });
  assert.deepEqual(changes(page), [{ display_name: 'Ada L.' }]);
  page.admit({ self: user('ada', { display_name: 'Ada' }) });
  assert.deepEqual(changes(page).length, 2);
});

test('a new session is told, for it may not take the profile of the address', () => {
  const page = joined();
  page.client.setProfile({ ...ADA, display_name: 'Ada L.' });
  page.socket.drop(4408);
  page.clock.advance(1000);
  assert.equal(page.socket.url.searchParams.get('display_name'), 'Ada L.');
  page.admit({ session_id: 's2' });
  assert.deepEqual(changes(page), [{ display_name: 'Ada L.' }]);
});

test('a resumed session that shows it is not told again', () => {
  const page = joined();
  page.client.setProfile({ ...ADA, display_name: 'Ada L.' });
  page.socket.drop(4000);
  page.clock.advance(1000);
  page.admit({ resumed: true, self: user('ada', { display_name: 'Ada L.' }) });
  assert.deepEqual(changes(page), []);
});

test('before it connects there is nobody to tell', () => {
  const page = new FakePage(ADA);
  page.client.setProfile({ ...ADA, display_name: 'Ada L.' });
  page.join();
  assert.equal(page.socket.url.searchParams.get('display_name'), 'Ada L.');
  assert.deepEqual(changes(page), []);
});

test('a server that does not allow it is not asked again', () => {
  const page = joined();
  page.client.setProfile({ ...ADA, display_name: 'Ada L.' });
  page.socket.receive('error', { code: 'FORBIDDEN', message: 'no' });
  page.socket.drop(4408);
  page.clock.advance(1000);
  page.admit({ session_id: 's2' });
  assert.deepEqual(changes(page), []);
});

test('a guest keeps its own name over a drop', () => {
  const page = new FakePage({ user_id: undefined });
  page.join({ self: user('guest-1', { display_name: 'Guest 1' }) });
  page.client.setProfile({ display_name: 'Ada' });
  page.socket.drop(4000);
  page.clock.advance(1000);
  const query = page.socket.url.searchParams;
  assert.deepEqual([query.get('user_id'), query.get('display_name')], ['guest-1', 'Ada']);
});
