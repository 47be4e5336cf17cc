// How people are shown: initials, readable colours, safe images.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { edgeOf, initials, mayShow, presenceOf, safeColor, safeImageUrl, textOn } from '../../../presence_server/web/static/presence-people.js';
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

test('what elements say is read with care: anybody can make it up', () => {
  assert.deepEqual(presenceOf(user('a', { metadata: { presence: { hand: true } } })), { hand: true });
  for (const metadata of [null, {}, { presence: null }, { presence: 'x' }, { presence: 7 }]) {
    assert.deepEqual(presenceOf(user('a', { metadata })), {});
  }
});

test('a page may show all images, those of its own origin, or none', () => {
  globalThis.location = { origin: 'https://app.example' };
  const [own, port, other] = ['https://app.example/a', 'https://app.example:444/a', 'https://b.example/a'];
  const shown = (avatars) => [own, port, other].map((url) => mayShow(url, avatars));
  assert.deepEqual(shown('on'), [true, true, true]);
  assert.deepEqual(shown(''), [true, true, true]);
  assert.deepEqual(shown('same-origin'), [true, false, false]);
  assert.deepEqual(shown('off'), [false, false, false]);
});
