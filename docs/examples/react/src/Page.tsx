import 'presence-server-client/bar';
import 'presence-server-client/cursors';
import 'presence-server-client/queue';
import { PresenceProvider, useOthers, usePresenceClient, useQueue, useSelf } from 'presence-server-client/react';

type PageProps = { server: string; board: string; user: { id: string; name: string } };

export function Page({ server, board, user }: PageProps) {
  return (
    <PresenceProvider server={server} board={board} userId={user.id} displayName={user.name}>
      <Header />
      <People />
      <Canvas />
    </PresenceProvider>
  );
}

function Header() {
  const client = usePresenceClient();
  return (
    <header style={{ display: 'flex', justifyContent: 'space-between' }}>
      <h1>My page</h1>
      <presence-bar client={client} />
    </header>
  );
}

function People() {
  const self = useSelf();
  const queue = useQueue();
  const names = useOthers((others) => others.map((user) => user.display_name));
  if (queue) return <p data-testid="queue">{`You are number ${queue.position} of ${queue.queueLength}`}</p>;
  return (
    <p>
      <b data-testid="self">{self?.display_name ?? 'Nobody yet'}</b> with <i data-testid="others">{names.join(', ')}</i>
    </p>
  );
}

function Canvas() {
  const client = usePresenceClient();
  return (
    <main id="canvas" style={{ height: 200, background: '#eef' }}>
      <presence-queue client={client} onpresence-turn={() => console.log('my turn')} />
      <presence-cursors client={client} for="canvas" />
    </main>
  );
}
