// What the bar says, and in which language.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Words } from '../../../presence_server/web/static/presence-words.js';
import { user } from './fakes.mjs';

test('somebody who is not connected is reconnecting, whatever the status', () => {
  const words = new Words(null);
  assert.equal(words.status(user('a', { status: 'idle' })), 'Idle');
  assert.equal(words.status(user('a', { connected: false })), 'Reconnecting');
  assert.equal(words.status(user('a', { gone: 'Left 1 min. ago' })), 'Left 1 min. ago');
});

test('announcements name two, and count more', () => {
  const words = new Words(null);
  assert.equal(words.news([], []), '');
  assert.equal(words.news(['Ada'], []), 'Ada joined');
  assert.equal(words.news(['Ada', 'Bob'], ['Cyd']), 'Ada and Bob joined. Cyd left');
  assert.equal(words.news([], ['a', 'b', 'c']), '3 people left');
  assert.equal(words.news(['Ada'], ['a', 'b'], true), '1 person joined. 2 people left');
});

test('a page may replace some phrases; plural forms and numbers follow the language', () => {
  const words = new Words({
    lang: 'ar-EG', idle: 'خامل', joined: { one: 'one', two: 'two', few: '{count} few', many: '{count} many', other: '{count} other' },
  });
  assert.equal(words.say('idle'), 'خامل');
  assert.equal(words.say('online'), 'Online');
  const said = [1, 2, 3, 11, 100].map((count) => words.say('joined', { count }));
  assert.deepEqual(said, ['one', 'two', '٣ few', '١١ many', '١٠٠ other']);
});

test('a name that looks like a place for a value stays a name', () => {
  assert.equal(new Words(null).say('person', { name: '{status} $& $1', status: 'Idle' }), '{status} $& $1, Idle');
});

test('a language that is none is a RangeError', () => {
  assert.throws(() => new Words({ lang: 'not a language' }), RangeError);
});
