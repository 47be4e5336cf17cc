import 'presence-server-client/bar';
import { PresenceClient } from 'presence-server-client';
import type { ClientError, User } from 'presence-server-client';

const query = new URLSearchParams(location.search);
const client = new PresenceClient({
  server: query.get('server') ?? 'http://127.0.0.1:8000',
  board: query.get('board') ?? 'demo',
  userId: query.get('user') ?? undefined,
  displayName: query.get('name') ?? undefined,
});

const bar = document.querySelector('presence-bar')!;
bar.client = client;
bar.addEventListener('presence-error', ({ detail }) => complain(detail));

client.addEventListener('users', ({ detail }) => {
  if (detail.kind === 'left') console.log(`${detail.user?.display_name} left`);
  show(client.snapshot.others);
});
client.connect();

function show(others: readonly User[]): void {
  document.querySelector('#others')!.textContent = others.map((user) => user.display_name).join(', ');
}

function complain({ code, message }: ClientError): void {
  console.warn(`${code}: ${message}`);
}
