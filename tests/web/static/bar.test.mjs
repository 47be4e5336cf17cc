// What the bar makes of avatars: a server cannot be trusted to have cleaned them.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { drawFrame, forget, installDom, written } from './fake-dom.mjs';
import { FakePage, user } from './fakes.mjs';

installDom();
const STATIC = '../../../presence_server/web/static';
const { PresenceBar } = await import(`${STATIC}/presence-bar.js`);
const { PeopleList } = await import(`${STATIC}/presence-list.js`);
const { Words } = await import(`${STATIC}/presence-words.js`);

const GOOD = 'https://x.example/good.png';
const BAD = [
  'javascript:fired()', ' javascript:fired()', 'JaVaScRiPt:fired()', 'java\nscript:fired()',
  'vbscript:fired()', 'data:image/svg+xml,<svg onload=fired()>', 'data:image/png;base64,AAAA',
  'data:text/html,<script>fired()</script>', 'blob:https://x.example/1', 'file:///etc/passwd',
  'ftp://x.example/a.png', 'about:blank', 'x:https://x.example/a.png', '//x.example/a.png',
  '/a.png', 'a.png', '?a', '#a', '\\\\x.example\\a.png', 'https://', 'https', '',
  7, true, {}, ['https://x.example/a.png'],
];

/** What images were given to load. */
const sources = () => written.filter(([name]) => name === 'src').map(([, value]) => value);

/** A bar on a page whose server says this of who is there. */
function show(...users) {
  const page = new FakePage();
  const bar = new PresenceBar();
  bar.client = page.client;
  bar.connectedCallback();
  page.join({ current_users: [user('ada'), ...users] });
  drawFrame();
  return page;
}

beforeEach(forget);

test('an http(s) avatar becomes an image, once', () => {
  const page = show(user('eve', { avatar_url: GOOD }));
  page.socket.receive('user:joined', { user: user('bob', { avatar_url: 'http://y.example/b' }) });
  drawFrame();
  assert.deepEqual(sources(), [GOOD, 'http://y.example/b']);
});

for (const avatar_url of BAD) {
  const name = JSON.stringify(avatar_url);

  test(`${name} never becomes an image, whatever the server sends`, () => {
    const page = show(user('eve', { avatar_url }), user('good', { avatar_url: GOOD }));
    page.socket.receive('user:joined', { user: user('bob', { avatar_url }) });
    drawFrame();
    assert.deepEqual(page.client.users.get('bob').avatar_url, avatar_url);
    assert.deepEqual(sources(), [GOOD]);
    const others = written.filter(([name]) => name !== 'src').map(([, value]) => value);
    const used = others.filter((value) => avatar_url.length > 5 && value.includes(avatar_url));
    assert.deepEqual(used, [], 'nor a style, nor another attribute');
  });

  test(`${name} in the place of a good one is no image either`, () => {
    const page = show(user('eve', { avatar_url: GOOD }));
    page.socket.drop();
    page.clock.advance(60_000);
    page.admit({ current_users: [user('ada'), user('eve', { avatar_url })] });
    drawFrame();
    assert.deepEqual(page.client.users.get('eve').avatar_url, avatar_url);
    assert.deepEqual(sources(), [GOOD]);
  });
}

test('in the list of everyone it is no image either', () => {
  const panel = document.createElement('div');
  const users = [...BAD, GOOD].map((avatar_url, n) => user(`u${n}`, { avatar_url }));
  const shown = { users, count: users.length, selfId: null, words: new Words(null), now: 0, since: () => null };
  new PeopleList(panel, document.createElement('button'), { shown: () => shown, choose() {} });
  panel.dispatchEvent(Object.assign(new Event('beforetoggle'), { newState: 'open' }));
  assert.equal(panel.children[1].children.length, BAD.length + 1);
  assert.deepEqual(sources(), [GOOD]);
});
