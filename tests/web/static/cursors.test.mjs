// What cursors over an element are made of: places, springs, and room in the metadata.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { pixels, Space } from '../../../presence_server/web/static/presence-space.js';
import { Spring } from '../../../presence_server/web/static/presence-spring.js';
import { FakePage, user } from './fakes.mjs';

let direction = 'ltr';
globalThis.getComputedStyle = () => ({ direction });

/** An element of 400 by 200 pixels, that is 1000 by 800 inside. */
const target = (scrollLeft = 0, scrollTop = 0, scale = 1) => ({
  getBoundingClientRect: () => ({ left: 100, top: 50, width: scale * 400, height: scale * 200 }),
  offsetWidth: 400,
  clientLeft: 0, clientTop: 0, clientWidth: 400, clientHeight: 200, scrollWidth: 1000, scrollHeight: 800, scrollLeft, scrollTop,
});

test('a place is a fraction of the element, and back', () => {
  const space = new Space(target(), false);
  assert.deepEqual(space.fractions(200, 100), [0.25, 0.25]);
  assert.deepEqual(pixels(space.measure(), 0.25, 0.25), [100, 50]);
  assert.deepEqual([space.fractions(99, 60), space.fractions(200, 251)], [null, null]);
});

test('with scroll it is a fraction of all that can be scrolled to', () => {
  const space = new Space(target(300, 150), true);
  assert.deepEqual(space.fractions(200, 100), [0.4, 0.25]);
  assert.deepEqual(pixels(space.measure(), 0.4, 0.25), [100, 50]);
});

test('a page may draw it larger', () => {
  const space = new Space(target(300, 150, 2), true);
  assert.deepEqual(space.fractions(300, 150), [0.4, 0.25]);
  assert.deepEqual(pixels(space.measure(), 0.4, 0.25), [200, 100]);
});

test('from right to left, it begins at the right end', () => {
  direction = 'rtl';
  const space = new Space(target(-300, 150), true);
  assert.deepEqual(space.fractions(200, 100), [0.4, 0.25]);
  assert.deepEqual(pixels(space.measure(), 0.4, 0.25), [100, 50]);
  direction = 'ltr';
});

test('an element without a size has no places', () => {
  const flat = { ...target(), getBoundingClientRect: () => ({ left: 0, top: 0, width: 0, height: 0 }) };
  assert.equal(new Space(flat, false).fractions(0, 0), null);
});

test('a spring comes to its end, and never past it, whatever the frames', () => {
  for (const seconds of [0.004, 0.016, 0.05, 3]) {
    const spring = new Spring(0, 1);
    spring.aim(1, 0, false);
    let steps = 0;
    while (!spring.step(seconds)) {
      steps += 1;
      assert.ok(spring.x >= 0 && spring.x <= 1 && spring.y >= 0 && spring.y <= 1);
      assert.ok(steps < 1_000);
    }
    assert.deepEqual([spring.x, spring.y], [1, 0]);
    assert.ok(steps * Math.min(seconds, 0.064) < 1);
  }
});

test('a spring that jumps is there', () => {
  const spring = new Spring(0, 0);
  spring.aim(1, 1, true);
  assert.equal(spring.step(0), true);
  assert.equal(spring.x, 1);
});

test('elements write beside the application, and neither takes from the other', () => {
  const page = new FakePage().join();
  const sent = () => page.socket.of('presence:update').at(-1)?.metadata;
  page.client.setPresence({ space: 'canvas' });
  assert.deepEqual(sent(), { presence: { space: 'canvas' } });
  page.client.setMetadata({ tool: 'pen' });
  page.clock.advance(100);
  assert.deepEqual(sent(), { tool: 'pen', presence: { space: 'canvas' } });
  page.client.setPresence({ hand: true });
  page.clock.advance(100);
  assert.deepEqual(sent(), { tool: 'pen', presence: { space: 'canvas', hand: true } });
  page.client.setMetadata(null);
  page.client.setPresence({ hand: undefined });
  page.clock.advance(100);
  assert.deepEqual(sent(), { presence: { space: 'canvas' } });
  page.client.setPresence({ space: undefined });
  page.clock.advance(100);
  assert.equal(sent(), null);
});

test('what another tab of the user wrote stays', () => {
  const page = new FakePage().join();
  const sent = () => page.socket.of('presence:update').at(-1)?.metadata;
  const elsewhere = (metadata) => page.echo(page.socket, { metadata });
  page.client.setPresence({ space: 'canvas' });
  page.clock.advance(2_000);
  elsewhere({ tool: 'pen', presence: { space: 'canvas', hand: true } });
  page.client.setPresence({ space: 'list' });
  page.clock.advance(2_000);
  assert.deepEqual(sent(), { tool: 'pen', presence: { space: 'list', hand: true } });
  elsewhere({ tool: 'pen', presence: { space: 'list' } });
  page.client.setMetadata({ tool: 'ink' });
  page.clock.advance(2_000);
  assert.deepEqual(sent(), { tool: 'ink', presence: { space: 'list' } });
  page.client.setPresence({ hand: undefined });
  page.clock.advance(2_000);
  assert.equal(page.socket.of('presence:update').length, 3);
});

test('after a reload the elements write beside what the server still has', () => {
  const self = user('ada', { metadata: { tool: 'pen', presence: { hand: true, chat: 'hello' } } });
  const page = new FakePage().join({ resumed: true, self, current_users: [self] });
  page.client.setPresence({ chat: undefined });
  page.clock.advance(100);
  assert.deepEqual(page.socket.of('presence:update').at(-1).metadata, { tool: 'pen', presence: { hand: true } });
});

test('a new session after a loss has all that was said before', () => {
  const page = new FakePage().join();
  page.client.setMetadata({ tool: 'pen' });
  page.client.setPresence({ space: 'canvas' });
  page.clock.advance(2_000);
  page.socket.drop(4408);
  page.client.setPresence({ hand: true });
  page.window.dispatchEvent(new Event('online'));
  page.admit();
  page.clock.advance(100);
  const { metadata } = page.socket.of('presence:update').at(-1);
  assert.deepEqual(metadata, { tool: 'pen', presence: { space: 'canvas', hand: true } });
});

test('what stays the same is not sent again', () => {
  const page = new FakePage().join();
  page.client.setPresence({ space: 'canvas' });
  page.clock.advance(100);
  const before = page.socket.of('presence:update').length;
  page.client.setPresence({ space: 'canvas' });
  page.clock.advance(100);
  assert.equal(page.socket.of('presence:update').length, before);
});

test('both together keep the limit, and what does not fit changes nothing', () => {
  const page = new FakePage().join();
  page.client.setMetadata({ text: 'x'.repeat(2_000) });
  assert.throws(() => page.client.setPresence({ chat: 'y'.repeat(100) }), RangeError);
  page.client.setPresence({ space: 'c' });
  assert.throws(() => page.client.setMetadata({ text: 'x'.repeat(2_030) }), RangeError);
  page.clock.advance(100);
  const { metadata } = page.socket.of('presence:update').at(-1);
  assert.deepEqual([metadata.text.length, metadata.presence], [2_000, { space: 'c' }]);
});
