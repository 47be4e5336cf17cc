// In which order the bar shows people.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { Order } from '../../../presence_server/web/static/presence-order.js';
import { FakeClock, user } from './fakes.mjs';

let clock;
beforeEach(() => {
  clock = new FakeClock();
  globalThis.window = { setTimeout: (callback, delayMs) => clock.setTimeout(callback, delayMs) };
});

const ids = (users) => users.map(({ user_id }) => user_id).join(' ');
const hand = { metadata: { presence: { hand: true } } };

test('oneself, raised hands, the more active, those who are not connected; then by time of joining', () => {
  const order = new Order(() => {}, () => false);
  const users = [
    user('gone', { gone: 'Left now' }), user('lost', { connected: false }), user('away', { status: 'away' }),
    user('idle', { status: 'idle' }), user('c', { joined_at: 3 }), user('b', { joined_at: 2 }), user('a', { joined_at: 2 }),
    user('hand', { status: 'away', joined_at: 8, ...hand }), user('me', { joined_at: 9, status: 'away' }),
  ];
  assert.equal(ids(order.sort(users, 'me')), 'me hand a b c idle away lost gone');
});

test('a change of status moves its person a little later, all changes at once', () => {
  let drawn = 0;
  const order = new Order(() => (drawn += 1), () => false);
  assert.equal(ids(order.sort([user('a'), user('b'), user('c')], null)), 'a b c');
  const later = [user('a', { status: 'away' }), user('b', { status: 'idle' }), user('c'), user('d', hand)];
  assert.equal(ids(order.sort(later, null)), 'd a b c', 'somebody new has the right place at once');
  assert.equal(clock.pending, 1);
  clock.advance(1_500);
  assert.equal(drawn, 1);
  assert.equal(ids(order.sort(later, null)), 'd c b a');
  assert.equal(clock.pending, 0);
});

test('nobody moves while somebody looks', () => {
  let isHeld = true;
  const order = new Order(() => {}, () => isHeld);
  order.sort([user('a'), user('b')], null);
  const later = [user('a', { status: 'away' }), user('b')];
  for (let turn = 0; turn < 3; turn += 1) {
    assert.equal(ids(order.sort(later, null)), 'a b');
    clock.advance(1_500);
  }
  isHeld = false;
  order.sort(later, null);
  clock.advance(1_500);
  assert.equal(ids(order.sort(later, null)), 'b a');
});
