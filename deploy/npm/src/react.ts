'use client';

// `presence-server-client/react`: a provider and hooks. The elements may be used beside them.

import {
  createContext,
  createElement,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react';
import type { DetailedHTMLProps, HTMLAttributes, ReactElement, ReactNode } from 'react';
import type { AttributesOf, ElementEvents } from './elements.js';
import type { PresenceClient } from './presence-client.js';
import type { User } from './presence-replica.js';
import type { Snapshot } from './presence-view.js';
import { NOBODY, Part, steady } from './shared.js';
import type { BoardOptions } from './shared.js';

export type { BoardOptions } from './shared.js';

/** The properties of {@link PresenceProvider}. */
export type PresenceProviderProps = BoardOptions & {
  /** A client of the application's own, which connects and leaves as the application wants. */
  client?: PresenceClient | null;
  children?: ReactNode;
};

const Client = createContext<PresenceClient | null>(null);
const nothing = (): void => {};

/** Join a board, and give it to the hooks below. The board and the profile may change at any time. */
export function PresenceProvider({ client, children, ...options }: PresenceProviderProps): ReactElement {
  const part = useRef<Part | null>(null);
  const [held, setHeld] = useState<PresenceClient | null>(null);
  const isGiven = client !== undefined;
  const { board, server, token, getToken, color } = options;
  const userId = options.userId ?? options.user_id;
  const displayName = options.displayName ?? options.display_name;
  const avatarUrl = options.avatarUrl ?? options.avatar_url;
  useEffect(() => {
    part.current ??= new Part();
    if (isGiven) part.current.leave(true);
    else part.current.take({ board, server, token, getToken, userId, displayName, avatarUrl, color });
    setHeld(part.current.client);
  }, [isGiven, board, server, token, getToken, userId, displayName, avatarUrl, color]);
  // Only when the provider is gone: the effect above changes a part, and leaves no board for a new name.
  useEffect(() => {
    return () => {
      part.current?.leave();
      part.current = null;
    };
  }, []);
  return createElement(Client.Provider, { value: isGiven ? client : held }, children);
}

/** @returns the client of the provider above; null before it is there, and on a server */
export function usePresenceClient(): PresenceClient | null {
  return useContext(Client);
}

/**
 * See the board of the provider above. The component is drawn again when what it selects is another
 * value, or a list or object with other members.
 *
 * @param select  by default the whole snapshot
 */
export function usePresence(): Snapshot;
export function usePresence<T>(select: (snapshot: Snapshot) => T): T;
export function usePresence(select: (snapshot: Snapshot) => unknown = whole): unknown {
  const client = usePresenceClient();
  const shown = useRef<{ value: unknown } | null>(null);
  // A selector that is written into the call is another function each time, but selects the same.
  const selected = useMemo(() => steady(select, shown.current), [select]);
  const subscribe = useCallback((changed: () => void) => client?.subscribe(changed) ?? nothing, [client]);
  const value = useSyncExternalStore(
    subscribe,
    () => selected(client?.snapshot ?? NOBODY),
    () => selected(NOBODY),
  );
  useEffect(() => {
    shown.current = { value };
  }, [value]);
  return value;
}

/**
 * See the others on the board, in the order of joining.
 *
 * @param select  what the component needs of them; by default all of it
 */
export function useOthers(): readonly User[];
export function useOthers<T>(select: (others: readonly User[]) => T): T;
export function useOthers(select: (others: readonly User[]) => unknown = whole): unknown {
  return usePresence((snapshot) => select(snapshot.others));
}

/** @returns oneself as the others see it; null before the board is joined */
export function useSelf(): User | null {
  return usePresence(self);
}

/** @returns one's place in the queue of a full board; null for somebody who does not wait */
export function useQueue(): Snapshot['queue'] {
  return usePresence(queue);
}

const whole = <T>(value: T): T => value;
const self = (snapshot: Snapshot): User | null => snapshot.self;
const queue = (snapshot: Snapshot): Snapshot['queue'] => snapshot.queue;

type Listeners = { [E in keyof ElementEvents as `on${E}`]?: (event: ElementEvents[E]) => void };
type ElementProps = {
  [E in keyof AttributesOf]: DetailedHTMLProps<HTMLAttributes<HTMLElement>, HTMLElement> & AttributesOf[E] & Listeners;
};

declare module 'react' {
  namespace JSX {
    interface IntrinsicElements extends ElementProps {}
  }
}
