// How long somebody waits in a queue, roughly and as a part of the way.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Wait } from '../../../presence_server/web/static/presence-wait.js';

test('the way begins at nothing, and moves with time and with each place', () => {
  const wait = new Wait(4, 100);
  assert.equal(wait.progress(100), 0);
  assert.ok(wait.progress(130) > 0.05);
  assert.ok(wait.progress(10_000) < 0.25, 'not further than the place that is left');
  wait.moved(3, undefined, 160);
  assert.equal(wait.progress(160), 0.25);
  wait.moved(1, undefined, 200);
  assert.equal(wait.progress(200), 0.75);
  assert.ok(wait.progress(100_000) < 1);
});

test('with an estimate it moves as fast as that', () => {
  const fast = new Wait(1, 0);
  fast.moved(1, 10, 0);
  const slow = new Wait(1, 0);
  slow.moved(1, 1_000, 0);
  assert.ok(fast.progress(10) > 0.5);
  assert.ok(slow.progress(10) < 0.02);
});

test('the first of a queue of one does not stand at the half', () => {
  assert.equal(new Wait(1, 0).progress(0), 0);
});

test('somebody who comes back before this user was there all the time', () => {
  const wait = new Wait(2, 0);
  wait.moved(3, undefined, 0);
  assert.equal(wait.progress(0), 0);
});

test('the estimate counts down', () => {
  const wait = new Wait(3, 0);
  assert.equal(wait.estimate(0), null);
  wait.moved(3, 600, 0);
  const said = [0, 60, 510, 560, 601].map((now) => wait.estimate(now));
  assert.deepEqual(said.map(({ phrase }) => phrase), ['minutes', 'minutes', 'minutes', 'seconds', 'soon']);
  assert.deepEqual(said.slice(0, 3).map(({ minutes }) => minutes), [10, 9, 2]);
  wait.moved(2, 60, 601);
  assert.deepEqual(wait.estimate(601), { phrase: 'minutes', minutes: 1 });
});
