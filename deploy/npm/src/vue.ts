// `presence-server-client/vue`: composables. The elements may be used beside them.

import { computed, getCurrentInstance, inject, onBeforeUnmount, onMounted, provide, shallowRef, toValue, watch } from 'vue';
import type { ComponentInternalInstance, ComputedRef, InjectionKey, MaybeRefOrGetter, ShallowRef } from 'vue';
import type { AttributesOf } from './elements.js';
import type { PresenceClient } from './presence-client.js';
import type { User } from './presence-replica.js';
import type { Snapshot } from './presence-view.js';
import { NOBODY, Part, steady } from './shared.js';
import type { BoardOptions } from './shared.js';

export type { BoardOptions } from './shared.js';

/** A board, as components see it. */
export interface Board {
  /** Null before the component is mounted, and on a server. */
  readonly client: Readonly<ShallowRef<PresenceClient | null>>;
  readonly snapshot: Readonly<ShallowRef<Snapshot>>;
}

const KEY: InjectionKey<Board> = Symbol('presence');
const own = new WeakMap<ComponentInternalInstance, Board>();

/**
 * Join a board while the component is mounted, and give it to the composables in this component and
 * below. The board and the profile may change at any time.
 *
 * @param options  a getter or ref follows the changes
 */
export function providePresence(options: MaybeRefOrGetter<BoardOptions>): Board {
  const part = new Part();
  const client = shallowRef<PresenceClient | null>(null);
  const snapshot = shallowRef<Snapshot>(NOBODY);
  let end = (): void => {};
  const show = (): void => void (snapshot.value = client.value?.snapshot ?? NOBODY);
  onMounted(() => {
    watch(
      () => ({ ...toValue(options) }),
      (now) => {
        if (!part.take(now)) return;
        end();
        client.value = part.client;
        end = client.value?.subscribe(show) ?? (() => {});
        show();
      },
      { immediate: true },
    );
  });
  onBeforeUnmount(() => {
    end();
    part.leave();
  });
  const board: Board = { client, snapshot };
  const instance = getCurrentInstance();
  if (instance) own.set(instance, board);
  provide(KEY, board);
  return board;
}

/** @returns the board of this component, or of one above */
function useBoard(): Board {
  const instance = getCurrentInstance();
  const board = (instance && own.get(instance)) ?? inject(KEY, null);
  if (!board) throw new Error('no component above calls providePresence()');
  return board;
}

/** @returns the client of the board; null before the component is mounted, and on a server */
export function usePresenceClient(): Readonly<ShallowRef<PresenceClient | null>> {
  return useBoard().client;
}

/**
 * See the board. The value changes when what is selected is another value, or a list or object with
 * other members.
 *
 * @param select  by default the whole snapshot
 */
export function usePresence(): ComputedRef<Snapshot>;
export function usePresence<T>(select: (snapshot: Snapshot) => T): ComputedRef<T>;
export function usePresence(select: (snapshot: Snapshot) => unknown = (snapshot) => snapshot): ComputedRef<unknown> {
  const { snapshot } = useBoard();
  const selected = steady(select);
  return computed(() => selected(snapshot.value));
}

/**
 * See the others on the board, in the order of joining.
 *
 * @param select  what the component needs of them; by default all of it
 */
export function useOthers(): ComputedRef<readonly User[]>;
export function useOthers<T>(select: (others: readonly User[]) => T): ComputedRef<T>;
export function useOthers(select: (others: readonly User[]) => unknown = (others) => others): ComputedRef<unknown> {
  return usePresence((snapshot) => select(snapshot.others));
}

/** @returns oneself as the others see it; null before the board is joined */
export function useSelf(): ComputedRef<User | null> {
  return usePresence((snapshot) => snapshot.self);
}

/** @returns one's place in the queue of a full board; null for somebody who does not wait */
export function useQueue(): ComputedRef<Snapshot['queue']> {
  return usePresence((snapshot) => snapshot.queue);
}

type ElementComponents = { [E in keyof AttributesOf]: new () => { $props: AttributesOf[E] } };

declare module 'vue' {
  interface GlobalComponents extends ElementComponents {}
}
