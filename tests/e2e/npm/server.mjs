// A server that renders pages: it imports the whole package, and draws a component of each framework.

import assert from 'node:assert/strict';
import 'presence-server-client';
import 'presence-server-client/bar';
import 'presence-server-client/cursors';
import 'presence-server-client/debug';
import 'presence-server-client/queue';
import { PresenceProvider, useSelf } from 'presence-server-client/react';
import 'presence-server-client/strings/ar';
import 'presence-server-client/strings/de';
import { presence } from 'presence-server-client/svelte';
import { providePresence, useSelf as useSelfInVue } from 'presence-server-client/vue';
import 'presence-server-client/yjs';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { createSSRApp, h } from 'vue';
import { renderToString as renderVue } from 'vue/server-renderer';

globalThis.WebSocket = class {
  constructor() {
    assert.fail('no page, so nobody connects');
  }
};
const who = { server: 'http://127.0.0.1:1', board: 'demo', userId: 'ada' };

const Self = () => useSelf()?.display_name ?? 'nobody yet';
console.log(`react: ${renderToString(createElement(PresenceProvider, who, createElement(Self)))}`);

const app = createSSRApp({
  setup() {
    providePresence(who);
    const self = useSelfInVue();
    return () => h('i', self.value?.display_name ?? 'nobody yet');
  },
});
console.log(`vue: ${(await renderVue(app)).replace(/<\/?i>/g, '')}`);

presence(who).self.subscribe((self) => console.log(`svelte: ${self?.display_name ?? 'nobody yet'}`))();
