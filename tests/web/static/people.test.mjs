// How people are shown: initials, readable colours, safe images.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  announcement, edgeOf, initials, inOrder, safeColor, safeImageUrl, statusWord, textOn,
} from '../../../presence_server/web/static/presence-people.js';
import { user } from './fakes.mjs';

test('initials', () => {
  const cases = {
    'Ada Lovelace': 'AL', ada: 'A', 'Tim Berners-Lee': 'TL', 'grace.hopper': 'GH', '  ': '?', '': '?',
    'Jean Luc Picard': 'JP', 李小龙: '李', 'ünal öz': 'ÜÖ', '(Bob) Smith': 'BS', '👩‍🚀 Sally': '👩‍🚀S', '!?': '!',
    'مريم أحمد': 'م\u200cأ', 'ßeta ﬁlter': 'ßﬁ', 'ǆ ﬁ': 'Ǆﬁ',
  };
  for (const [name, expected] of Object.entries(cases)) assert.equal(initials(name), expected, name);
});

test('text on any colour has a contrast of 4.5 or more', () => {
  const luminance = (color) => {
    const [r, g, b] = [1, 3, 5].map((at) => {
      const part = parseInt(color.slice(at, at + 2), 16) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  for (let value = 0; value < 0x1000000; value += 4_099) {
    const color = `#${value.toString(16).padStart(6, '0')}`;
    const [dark, light] = [luminance(color), luminance(textOn(color))].sort((a, b) => a - b);
    assert.ok((light + 0.05) / (dark + 0.05) > 4.5, `${textOn(color)} on ${color}`);
  }
});

test('only http(s) addresses become images', () => {
  assert.equal(safeImageUrl('https://x.example/a.png'), 'https://x.example/a.png');
  for (const url of [null, 7, '', '/a.png', 'javascript:alert(1)', 'data:image/png;base64,', 'blob:x', 'file:///x']) {
    assert.equal(safeImageUrl(url), null);
  }
});

test('a colour like that of the page has an edge', () => {
  assert.equal(edgeOf('#ffffff'), 'pale');
  assert.equal(edgeOf('#faf8f0'), 'pale');
  assert.equal(edgeOf('#191c22'), 'dark');
  assert.equal(edgeOf('#000000'), 'dark');
  for (const color of ['#1d4ed8', '#57534e', '#c2410c', '#ffd84d']) assert.equal(edgeOf(color), '');
});

test('only #rrggbb becomes a colour', () => {
  assert.equal(safeColor('#A1b2c3'), '#A1b2c3');
  for (const color of [null, 'red', '#fff', '#1234567', 'url(x)']) assert.equal(safeColor(color), '#57534e');
});

test('oneself first, then by time of joining', () => {
  const users = [user('c', { joined_at: 3 }), user('b', { joined_at: 2 }), user('a', { joined_at: 2 }), user('me', { joined_at: 9 })];
  assert.deepEqual(inOrder(users, 'me').map(({ user_id }) => user_id), ['me', 'a', 'b', 'c']);
});

test('somebody who is not connected is reconnecting, whatever the status', () => {
  assert.equal(statusWord(user('a', { status: 'idle' })), 'Idle');
  assert.equal(statusWord(user('a', { connected: false })), 'Reconnecting');
});

test('announcements name two, and count more', () => {
  assert.equal(announcement([], []), '');
  assert.equal(announcement(['Ada'], []), 'Ada joined');
  assert.equal(announcement(['Ada', 'Bob'], ['Cyd']), 'Ada and Bob joined. Cyd left');
  assert.equal(announcement([], ['a', 'b', 'c']), '3 people left');
  assert.equal(announcement(['Ada'], ['a', 'b'], true), '1 person joined. 2 people left');
});
