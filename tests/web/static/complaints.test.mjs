// What a developer is told when nothing works.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';

import { FakePage } from './fakes.mjs';

let warn;
beforeEach(() => (warn = mock.method(console, 'warn', () => {})));
afterEach(() => warn.mock.restore());

const warnings = () => warn.mock.calls.map(({ arguments: [text] }) => text);
const errors = (page) => page.events.filter(([type]) => type === 'error').map(([, { code }]) => code);

/** The newest connection fails, and the next one is tried. */
function fail(page) {
  page.socket.drop(1006);
  page.clock.advance(5_000);
}

test('a server that cannot be reached is said once, with what may be wrong', () => {
  const page = new FakePage({ server: 'https://presence.example' });
  page.client.connect();
  fail(page);
  fail(page);
  assert.deepEqual(errors(page), []);
  for (let attempt = 0; attempt < 5; attempt += 1) fail(page);
  assert.deepEqual(errors(page), ['UNREACHABLE']);
  assert.equal(warnings().length, 1);
  for (const word of ['https://presence.example/', '`server`', 'auth.allowed_origins']) {
    assert.ok(warnings()[0].includes(word), word);
  }
  assert.equal(page.client.state, 'reconnecting');
});

test('a server that was reached before only restarts', () => {
  const page = new FakePage().join();
  for (let attempt = 0; attempt < 5; attempt += 1) fail(page);
  assert.deepEqual(errors(page), []);
  assert.deepEqual(warnings(), []);
});

test('a token that is not good is said once, however often the server says it', () => {
  const page = new FakePage({ token: 'a.b.c' }).join();
  for (let turn = 0; turn < 3; turn += 1) {
    page.socket.receive('error', { code: 'UNAUTHORIZED', message: 'the token has expired' });
  }
  assert.equal(errors(page).length, 3);
  assert.equal(warnings().length, 1);
  assert.ok(warnings()[0].includes('getToken'));
});

test('what a developer cannot mend is not said', () => {
  const page = new FakePage().join();
  for (const code of ['RATE_LIMITED', 'INTERNAL', 'constructor']) {
    page.socket.receive('error', { code, message: 'x' });
  }
  assert.deepEqual(warnings(), []);
});
