// Tokens that expire, and tokens that are refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { expiryOf } from '../../../presence_server/web/static/presence-token.js';
import { FakePage, settle } from './fakes.mjs';

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const jwt = (expiresAtMs, name = 'x') =>
  `${encode({ alg: 'HS256' })}.${encode({ exp: expiresAtMs / 1000, name })}.signature`;

test('a token goes into the subprotocol, never into the address', () => {
  const page = new FakePage({ token: 'a.b.c' });
  page.client.connect();
  assert.deepEqual(page.socket.protocols, ['presence.v1', 'bearer.a.b.c']);
  assert.ok(!page.socket.url.href.includes('a.b.c'));
});

test('when a JWT expires can be read, and nonsense is no date', () => {
  assert.equal(expiryOf(jwt(1_700_000_000_000, 'Zoë ☂')), 1_700_000_000_000);
  for (const token of ['', 'a', 'a.b.c', `a.${encode({})}.c`, `a.${encode({ exp: 'soon' })}.c`]) {
    assert.equal(expiryOf(token), null);
  }
});

test('each connection asks for a token anew', async () => {
  let asked = 0;
  const page = new FakePage({ getToken: async () => `t${++asked}` });
  page.client.connect();
  await settle();
  page.admit();
  page.socket.drop();
  page.window.dispatchEvent(new Event('online'));
  await settle();
  assert.deepEqual(page.sockets.map(({ protocols }) => protocols[1]), ['bearer.t1', 'bearer.t2']);
});

test('a token is renewed well before it expires', async () => {
  const start = new FakePage().clock.now;
  let lifetimeMs = 3_600_000;
  const page = new FakePage({ getToken: () => jwt(page.clock.server + lifetimeMs) });
  page.client.connect();
  await settle();
  page.admit({ heartbeat_interval_s: 36_000 });
  page.clock.advance(lifetimeMs - 150_001);
  await settle();
  assert.equal(page.socket.of('auth:refresh').length, 0);
  lifetimeMs = 7_200_000;
  page.clock.advance(1);
  await settle();
  const [{ token }] = page.socket.of('auth:refresh');
  assert.equal(expiryOf(token), page.clock.server + lifetimeMs);
  page.socket.receive('auth:refreshed', { expires_at: page.clock.server + lifetimeMs });
  page.clock.advance(lifetimeMs - 150_000);
  await settle();
  assert.equal(page.socket.of('auth:refresh').length, 2);
  assert.ok(page.clock.now > start);
});

test('a renewal the server refuses is tried again while the old token stands', async () => {
  const page = new FakePage({ getToken: () => jwt(page.clock.server + 400_000) });
  page.client.connect();
  await settle();
  page.admit({ heartbeat_interval_s: 36_000 });
  page.clock.advance(250_000);
  await settle();
  page.socket.receive('error', { code: 'UNAUTHORIZED', message: 'no' });
  page.clock.advance(75_000);
  await settle();
  assert.equal(page.socket.of('auth:refresh').length, 2);
  assert.equal(page.client.state, 'joined');
});

test('no token to be had: backs off, and says so', async () => {
  let works = false;
  const page = new FakePage({
    getToken: async () => {
      if (!works) throw new Error('signed out');
      return 'good';
    },
  });
  page.client.connect();
  await settle();
  assert.equal(page.client.state, 'reconnecting');
  assert.equal(page.events.find(([type]) => type === 'error')[1].code, 'TOKEN_UNAVAILABLE');
  works = true;
  page.clock.advance(500);
  await settle();
  assert.equal(page.socket.protocols[1], 'bearer.good');
});

test('a getToken that never answers is given up', async () => {
  const page = new FakePage({ getToken: () => new Promise(() => {}) });
  page.client.connect();
  page.clock.advance(15_000);
  await settle();
  assert.equal(page.client.state, 'reconnecting');
});

test('a token that comes after leave() opens no connection', async () => {
  let give;
  const page = new FakePage({ getToken: () => new Promise((resolve) => (give = resolve)) });
  page.client.connect();
  await page.client.leave();
  give('late');
  await settle();
  assert.equal(page.sockets.length, 0);
  assert.equal(page.client.state, 'closed');
});

// --- what a newer token cures -------------------------------------------------------

/** A page whose tokens are numbered, and whose server refuses those that `isBad`. */
async function guarded(isBad, getToken) {
  let made = 0;
  const page = new FakePage({ getToken: getToken ?? (() => `t${(made += 1)}`) });
  page.client.connect();
  await settle();
  page.serve = async () => {
    if (page.socket.readyState !== 0) return;
    if (isBad(page.socket.protocols[1])) {
      page.socket.open();
      page.socket.receive('error', { code: 'UNAUTHORIZED', message: 'the token has expired' });
      page.socket.drop(4401);
    } else page.admit();
    await settle();
  };
  page.pass = async (ms) => {
    for (let gone = 0; gone < ms; gone += 250) {
      await page.serve();
      page.clock.advance(250);
      await settle();
    }
    await page.serve();
  };
  return page;
}

test('a token that ended while the machine slept: a fresh one is asked for', async () => {
  const page = await guarded(() => false);
  await page.serve();
  page.clock.sleep(3_600_000);
  page.socket.drop(4401);
  assert.equal(page.client.state, 'reconnecting');
  await page.pass(1_000);
  assert.equal(page.client.state, 'joined');
  assert.equal(page.socket.protocols[1], 'bearer.t2');
});

test('a few fresh tokens that are refused are no reason to give up, several are', async () => {
  const late = await guarded((token) => ['bearer.t1', 'bearer.t2', 'bearer.t3', 'bearer.t4'].includes(token));
  await late.pass(30_000);
  assert.equal(late.client.state, 'joined');
  const never = await guarded(() => true);
  await never.pass(120_000);
  assert.deepEqual(never.client.status, { state: 'closed', code: 4401, reason: '' });
  assert.equal(never.sockets.length, 5);
});

test('an application that keeps an expired token for 20 s more is asked again', async () => {
  const start = new FakePage().clock.now;
  let page = null;
  page = await guarded((token) => token === 'bearer.old', () => ((page?.clock.now ?? start) < start + 20_000 ? 'old' : 'new'));
  await page.pass(60_000);
  assert.equal(page.client.state, 'joined');
});

test('the endpoint of the tokens is away for a minute', async () => {
  let away = false;
  let made = 0;
  const page = await guarded(() => false, async () => {
    if (away) throw new Error('502');
    return `t${(made += 1)}`;
  });
  await page.serve();
  away = true;
  page.socket.drop(4401);
  await page.pass(60_000);
  assert.equal(page.client.state, 'reconnecting');
  away = false;
  await page.pass(30_000);
  assert.equal(page.client.state, 'joined');
});

test('after tokens were accepted the count of refused ones starts anew', async () => {
  let bad = true;
  const page = await guarded(() => bad);
  for (let round = 0; round < 5; round += 1) {
    bad = true;
    await page.pass(1_000);
    bad = false;
    await page.pass(30_000);
    assert.equal(page.client.state, 'joined');
    page.socket.drop(4401);
  }
});

test('getToken that gives nothing is no token', async () => {
  for (const nothing of [undefined, null, '', 7]) {
    const page = new FakePage({ getToken: () => nothing });
    page.client.connect();
    await settle();
    assert.equal(page.sockets.length, 0);
    assert.equal(page.client.state, 'reconnecting');
  }
});

test('a token that stands still is final when it is refused', () => {
  const page = new FakePage({ token: 'old' }).join();
  page.socket.drop(4401);
  assert.equal(page.client.state, 'closed');
});
