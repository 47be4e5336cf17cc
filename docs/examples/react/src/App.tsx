// What an application has anyway: a name that may change, and routes.

import { useState } from 'react';
import { Page } from './Page.tsx';

const query = new URLSearchParams(location.search);

export function App() {
  const [board, setBoard] = useState(query.get('board') ?? 'demo');
  const [name, setName] = useState(query.get('name') ?? 'Ada');
  const [visit, setVisit] = useState(1);
  const user = { id: query.get('user') ?? 'ada', name };
  return (
    <>
      <nav>
        <label>
          Your name <input value={name} onChange={(event) => setName(event.target.value)} />
        </label>
        <button onClick={() => setBoard(`${board}-2`)}>Another board</button>
        <button onClick={() => setVisit(visit + 1)}>Mount again</button>
      </nav>
      <Page key={visit} server={query.get('server') ?? 'http://127.0.0.1:8000'} board={board} user={user} />
    </>
  );
}
