// What a page passes in by mistake ends no session, and takes nothing else with it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { PresenceClient } from '../../../presence_server/web/static/presence-client.js';
import { FakePage } from './fakes.mjs';

const circle = {};
circle.self = circle;
const deep = (levels) => (levels === 1 ? {} : { a: deep(levels - 1) });

const BAD_CURSORS = [[NaN, 0], [0, NaN], [Infinity, 0], [0, -Infinity], ['1', 2], [1, '2'], [1, null], [undefined, 0], [{}, 0], [1n, 2]];
const BAD_STATUSES = ['busy', '', 'Online', 7, {}, undefined, true];
const BAD_METADATA = {
  'half an emoji': { text: '😀'.slice(0, 1) },
  'the other half, in a key': { ['😀'.slice(1)]: 1 },
  'NUL': { text: 'a\0b' },
  'over 2 KiB': { draft: 'x'.repeat(2048) },
  'over 2 KiB in UTF-8': { draft: 'ü'.repeat(1024) },
  'a circle': circle,
  'a BigInt': { big: 7n },
  'a list': [1],
  'a text': 'pen',
  'a number': 7,
  'a Date': new Date(0),
  'undefined': undefined,
  'a function': () => 1,
  'toJSON that throws': { toJSON() { throw new TypeError('no'); } },
  '33 levels': deep(33),
};

test('cursors that are not finite numbers are refused at the call, and nothing is sent', () => {
  const page = new FakePage().join();
  for (const [x, y] of BAD_CURSORS) assert.throws(() => page.client.moveCursor(x, y), TypeError);
  page.clock.advance(1_000);
  assert.deepEqual(page.socket.of('presence:update'), []);
});

test('a status that is none is refused at the call', () => {
  const page = new FakePage().join();
  for (const status of BAD_STATUSES) assert.throws(() => page.client.setStatus(status), TypeError);
  page.clock.advance(1_000);
  assert.deepEqual(page.socket.of('presence:update'), []);
});

for (const [name, metadata] of Object.entries(BAD_METADATA)) {
  test(`metadata: ${name} is refused at the call, and later cursors are sent`, () => {
    const page = new FakePage().join();
    page.client.setMetadata({ tool: 'pen' });
    assert.throws(() => page.client.setMetadata(metadata), /metadata|circular|BigInt|no/i);
    page.clock.advance(1_000);
    page.client.moveCursor(1, 2);
    page.clock.advance(1_000);
    const sent = page.socket.of('presence:update');
    assert.deepEqual(sent.map((update) => update.metadata).filter(Boolean), [{ tool: 'pen' }]);
    assert.deepEqual(sent.at(-1).cursor, { x: 1, y: 2 });
  });
}

test('a bad call before joining takes nothing else with it', () => {
  const page = new FakePage();
  page.client.setMetadata({ tool: 'pen' });
  page.client.setStatus('away');
  assert.throws(() => page.client.moveCursor(NaN, NaN), TypeError);
  page.join();
  const [first] = page.socket.of('presence:update');
  assert.deepEqual(first, { metadata: { tool: 'pen' }, status: 'away' });
});

test('metadata that the page changes later stays as it was given', () => {
  const page = new FakePage();
  const mine = { tool: 'pen' };
  page.client.setMetadata(mine);
  mine.self = mine;
  page.join();
  assert.deepEqual(page.socket.of('presence:update')[0].metadata, { tool: 'pen' });
});

test('what is just within the rules is sent', () => {
  const page = new FakePage();
  page.client.setMetadata({ draft: 'x'.repeat(2048 - '{"draft":""}'.length) });
  page.client.setMetadata(deep(32));
  page.client.setMetadata({ text: '\\ud800 😀 \\u0000', nan: NaN, gone: undefined });
  page.client.moveCursor(-1e308, 5e-324);
  page.join();
  assert.deepEqual(page.socket.of('presence:update')[0], {
    metadata: { text: '\\ud800 😀 \\u0000', nan: null }, cursor: { x: -1e308, y: 5e-324 },
  });
});

test('a board that is not given is refused', () => {
  for (const options of [{}, { board: undefined }, { board: null }, { board: 7 }]) {
    assert.throws(() => new PresenceClient(options), TypeError);
  }
});

test('a profile that would not fit into a request head is cut, or refused', () => {
  const page = new FakePage({
    display_name: 'ü'.repeat(10_000), avatar_url: `data:image/png;base64,${'A'.repeat(20_000)}`, color: '#112233',
  });
  page.client.connect();
  const { searchParams, href } = page.socket.url;
  assert.ok(href.length < 8_000);
  assert.equal(searchParams.get('display_name'), 'ü'.repeat(160));
  assert.equal(searchParams.get('avatar_url'), null);
  assert.equal(searchParams.get('color'), '#112233');
  assert.throws(() => new PresenceClient({ board: 'demo', user_id: 'x'.repeat(513) }), TypeError);
});

test('binary frames that the server does not answer end before it closes', () => {
  const page = new FakePage().join();
  for (let n = 0; n < 100; n += 1) page.client.sendBinary(new Uint8Array([n]));
  assert.ok(page.socket.sent.length < 20);
  page.socket.raw(new ArrayBuffer(1));
  assert.equal(page.client.sendBinary(new Uint8Array([1])), true);
});

test('options may be written as JavaScript does it, and unknown ones are named', (context) => {
  const warn = context.mock.method(console, 'warn', () => {});
  const page = new FakePage({ user_id: undefined, userId: 'zed', displayName: 'Zed', avatarUrl: 'https://x/y' });
  page.client.connect();
  assert.deepEqual(Object.fromEntries(page.socket.url.searchParams), {
    user_id: 'zed', display_name: 'Zed', avatar_url: 'https://x/y', watch: '1',
  });
  page.client.setProfile({ userId: 'zed', displayName: 'Zed Z' });
  assert.deepEqual(warn.mock.calls, []);
  new PresenceClient({ board: 'demo', userID: 'zed', color: '#112233', nick: 'z' });
  assert.deepEqual(warn.mock.calls.map(({ arguments: [text] }) => text), [
    'PresenceClient does not know the option userID, nick',
  ]);
});

for (const [name, values] of Object.entries({
  server: ['http://[bad', 7, {}],
  token: [7, {}],
  getToken: ['token', 7, {}],
  cursorIntervalMs: [-1, NaN, '50'],
  hiddenAfterMs: [-1, NaN, '3000'],
})) {
  test(`${name} of a wrong kind is refused at the call`, () => {
    for (const value of values) assert.throws(() => new PresenceClient({ board: 'demo', [name]: value }), TypeError);
    for (const value of [undefined, null]) new PresenceClient({ board: 'demo', [name]: value });
  });
}
