// What TypeScript knows of the package. Each line after @ts-expect-error has to be an error.

import { PresenceClient } from 'presence-server-client';
import type { Snapshot, User } from 'presence-server-client';
import { PresenceBar } from 'presence-server-client/bar';
import 'presence-server-client/cursors';
import 'presence-server-client/queue';
import { PresenceProvider, useOthers, usePresence, useQueue, useSelf } from 'presence-server-client/react';
import { presence } from 'presence-server-client/svelte';
import { PresenceYjsProvider } from 'presence-server-client/yjs';
import { providePresence, useOthers as useOthersInVue } from 'presence-server-client/vue';

import { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';

const client = new PresenceClient({ board: 'demo', userId: 'ada' });
client.addEventListener('users', ({ detail }) => detail.user?.display_name.trim());
client.addEventListener('state', ({ detail }) => detail.state === 'queued' && detail.etaS?.toFixed());
client.addEventListener('cursors', ({ detail }) => detail.cursors.map(([userId, x]) => [userId.trim(), x?.toFixed()]));
client.addEventListener('error', ({ detail }) => detail.code.trim());
client.addEventListener('binary', ({ detail }) => detail.data.byteLength);
// @ts-expect-error there is no such event
client.addEventListener('user', () => {});
// @ts-expect-error the board is missing
new PresenceClient({});
// @ts-expect-error not a status
client.setStatus('busy');
const snapshot: Snapshot = client.snapshot;
// @ts-expect-error it is frozen
snapshot.users.push(snapshot.users[0]!);

const doc = new Y.Doc();
const provider = new PresenceYjsProvider(client, doc, { Y, awareness: new Awareness(doc) });
provider.addEventListener('status', () => provider.status.readOnly && provider.synced);

const bar = document.querySelector('presence-bar')!;
bar satisfies PresenceBar;
bar.board = 'demo';
bar.client = client;
bar.getToken = async () => 'token';
bar.strings = { lang: 'nl', idle: 'Inactief', here: { one: '{count} persoon', other: '{count} mensen' } };
bar.addEventListener('presence-select', ({ detail }) => detail.user.display_name.trim());
bar.addEventListener('presence-error', ({ detail }) => detail.retry_after_ms?.toFixed());
document.createElement('presence-queue').addEventListener('presence-turn', () => {});
document.createElement('presence-cursors').userId = 'ada';
// @ts-expect-error a board has a name
bar.board = 7;

export function Page() {
  const names: string[] = useOthers((others) => others.map((user) => user.display_name));
  const count: number = usePresence(({ users }) => users.length);
  const self: User | null = useSelf();
  return (
    <PresenceProvider board="demo" userId="ada" displayName="Ada">
      <presence-bar board="demo" user-id="ada" max={5} client={client} onpresence-error={({ detail }) => detail.code.trim()} />
      <presence-queue board="demo" notify="title" className="wide" />
      <presence-cursors board="demo" for="canvas" />
      {/* @ts-expect-error not a way to align */}
      <presence-bar align="left" />
      {/* @ts-expect-error the server is an address */}
      <PresenceProvider server={8000} />
      {names.join()} {count} {self?.color} {useQueue()?.position.toFixed()}
    </PresenceProvider>
  );
}

presence({ board: 'demo' }).others.subscribe((others) => others.map((user) => user.color.trim()));
presence({ board: 'demo' }).select(({ users }) => users.length).subscribe((count) => count.toFixed());
// @ts-expect-error not an option
presence({ bord: 'demo' });

export function setup() {
  const board = providePresence(() => ({ board: 'demo' }));
  board.client.value?.setMetadata({ tool: 'pen' });
  return useOthersInVue((others) => others.length).value.toFixed();
}
