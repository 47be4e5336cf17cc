// The languages that are shipped: every phrase, with the values and the plural forms that it needs.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const STATIC = new URL('../../../presence_server/web/static/', import.meta.url);
const load = (name) => import(new URL(name, STATIC));

const English = Object.assign(
  {},
  (await load('presence-words.js')).ENGLISH,
  (await load('presence-panels.js')).PANEL_ENGLISH,
  (await load('presence-badges.js')).BADGE_ENGLISH,
  (await load('presence-recent.js')).RECENT_ENGLISH,
  (await load('presence-queue-screen.js')).QUEUE_ENGLISH,
  (await load('presence-company.js')).COMPANY_ENGLISH,
);
const LANGUAGES = [(await load('presence-strings-de.js')).GERMAN, (await load('presence-strings-ar.js')).ARABIC];

const values = (text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();
const other = (phrase) => (typeof phrase === 'string' ? phrase : phrase.other);

test('each phrase of the elements is among them', () => {
  const used = new Set();
  for (const name of readdirSync(STATIC).filter((each) => /^presence-.*\.js$/.test(each))) {
    const source = readFileSync(new URL(name, STATIC), 'utf8');
    for (const [, phrase] of source.matchAll(/\b[sS]ay\('(\w+)'/g)) used.add(phrase);
  }
  assert.ok(used.size > 20);
  for (const phrase of used) assert.ok(phrase in English, phrase);
});

for (const strings of LANGUAGES) {
  test(`${strings.lang} has every phrase`, () => {
    assert.deepEqual(Object.keys(strings).sort(), Object.keys(English).sort());
  });

  test(`${strings.lang} puts in the same values`, () => {
    for (const [name, phrase] of Object.entries(strings)) {
      assert.deepEqual(values(other(phrase)), values(other(English[name])), name);
    }
  });

  test(`${strings.lang} has all plural forms`, () => {
    const forms = new Intl.PluralRules(strings.lang).resolvedOptions().pluralCategories;
    for (const [name, phrase] of Object.entries(strings)) {
      if (typeof phrase === 'string') continue;
      const missing = forms.filter((form) => form !== 'zero' && !(form in phrase));
      assert.deepEqual(missing, [], name);
    }
  });
}
