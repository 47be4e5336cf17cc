// `presence-server-client/svelte`: stores. The elements may be used beside them.

import type {} from 'svelte/elements';
import type { AttributesOf, ElementEvents } from './elements.js';
import type { PresenceClient } from './presence-client.js';
import type { User } from './presence-replica.js';
import type { Snapshot } from './presence-view.js';
import { NOBODY, Part, steady } from './shared.js';
import type { BoardOptions } from './shared.js';

export type { BoardOptions } from './shared.js';

/** What `$store` in a component needs. */
export interface Readable<T> {
  subscribe(run: (value: T) => void): () => void;
}

/** A store of the snapshot of a board, and stores of its parts. */
export interface Board extends Readable<Snapshot> {
  /** Null while nobody subscribes, and on a server. */
  readonly client: Readable<PresenceClient | null>;
  /** The others on the board, in the order of joining. */
  readonly others: Readable<readonly User[]>;
  /** Oneself as the others see it; null before the board is joined. */
  readonly self: Readable<User | null>;
  /** One's place in the queue of a full board; null for somebody who does not wait. */
  readonly queue: Readable<Snapshot['queue']>;

  /** Change the board or the profile. @param options  all of them */
  configure(options: BoardOptions): void;

  /** @returns a store that changes when what is selected is another value, or has other members */
  select<T>(select: (snapshot: Snapshot) => T): Readable<T>;
}

/**
 * Join a board while somebody subscribes to one of its stores.
 *
 *     const { client, others, self, queue } = presence({ board: 'demo', userId: 'ada', displayName: 'Ada' });
 *
 * @param options  without a board nobody joins until `configure` names one
 */
export function presence(options: BoardOptions = {}): Board {
  const part = new Part();
  const runs = new Set<() => void>();
  let end = nothing;

  const read = (): Snapshot => part.client?.snapshot ?? NOBODY;
  const tell = (): void => [...runs].forEach((run) => run());

  function take(): boolean {
    if (!part.take(options)) return false;
    end();
    end = part.client?.subscribe(tell) ?? nothing;
    return true;
  }

  /** @returns ends it */
  function listen(run: () => void): () => void {
    const mine = (): void => run(); // The same function may subscribe twice.
    runs.add(mine);
    if (runs.size === 1) take();
    mine();
    return () => {
      if (!runs.delete(mine) || runs.size > 0) return;
      end();
      part.leave();
    };
  }

  /** @returns a store of a value that may be another one whenever the snapshot is */
  const changing = <T>(value: () => T): Readable<T> => ({
    subscribe(run) {
      let shown: { value: T } | null = null;
      return listen(() => {
        const now = value();
        if (shown && Object.is(shown.value, now)) return;
        shown = { value: now };
        run(now);
      });
    },
  });

  function select<T>(selector: (snapshot: Snapshot) => T): Readable<T> {
    const selected = steady(selector);
    return changing(() => selected(read()));
  }

  return {
    ...changing(read),
    client: changing(() => part.client),
    others: select((snapshot) => snapshot.others),
    self: select((snapshot) => snapshot.self),
    queue: select((snapshot) => snapshot.queue),
    configure(changed) {
      options = changed;
      if (runs.size > 0 && take()) tell();
    },
    select,
  };
}

const nothing = (): void => {};

type Listeners = { [E in keyof ElementEvents as `on${E}`]?: (event: ElementEvents[E]) => void };

declare module 'svelte/elements' {
  interface SvelteHTMLElements extends ElementProps {}
}

type ElementProps = {
  [E in keyof AttributesOf]: AttributesOf[E] & Listeners & import('svelte/elements').HTMLAttributes<HTMLElement>;
};
