// Pages that are rendered on a server import the modules there, where there is no page.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';

const STATIC = new URL('../../../presence_server/web/static/', import.meta.url);

for (const name of readdirSync(STATIC).filter((each) => /^presence-.*\.js$/.test(each))) {
  test(`${name} can be imported without a page`, async () => {
    assert.ok(await import(new URL(name, STATIC)));
  });
}
