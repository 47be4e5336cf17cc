// What the layers for React, Vue and Svelte have in common.

import type { Profile } from './presence-address.js';
import type { PresenceClient } from './presence-client.js';
import { hold, keyOf, refresh, release } from './presence-registry.js';
import type { Options } from './presence-types.js';
import type { Snapshot } from './presence-view.js';

/** Who joins which board. Without a board nobody joins; each value may change at any time. */
export type BoardOptions = Profile & {
  board?: string | null;
  /** Default: the server of the page. */
  server?: string;
  /** A JWT, on servers with `auth.mode = "jwt"`. */
  token?: string;
  /** Asked for a JWT before each connection and before one expires. */
  getToken?: () => string | Promise<string>;
};

/** The snapshot before there is a client, and where pages are rendered on a server. */
export const NOBODY: Snapshot = Object.freeze({
  board: '',
  state: 'new',
  status: Object.freeze({ state: 'new' }),
  users: Object.freeze([]),
  others: Object.freeze([]),
  self: null,
  queue: null,
});

/**
 * A part in the client of a board. The parts and the elements of a page that name the same server,
 * board and user share one client; it leaves a second after the last one is gone.
 */
export class Part {
  #key: string | null = null;
  #client: PresenceClient | null = null;

  /** Null without a board. */
  get client(): PresenceClient | null {
    return this.#client;
  }

  /**
   * Take part as these options say, from now on.
   *
   * @returns whether the client is another one
   * @throws {TypeError} an option has a wrong value
   */
  take(given: BoardOptions): boolean {
    const options = connectable(given);
    const key = options && keyOf(options);
    if (options && key !== null && key === this.#key) {
      refresh(key, options);
      return false;
    }
    const old = this.#client;
    this.leave(options !== null);
    if (options) {
      this.#client = hold(options);
      this.#key = key;
    }
    return this.#client !== old;
  }

  /** @param now  do not wait for another one of the same board */
  leave(now = false): void {
    if (this.#key !== null) release(this.#key, now);
    this.#key = null;
    this.#client = null;
  }
}

/** @returns the options of a client; null without a board */
function connectable(options: BoardOptions): Options | null {
  const { board, server, token, getToken, color } = options;
  if (!board || typeof window === 'undefined') return null;
  return {
    board,
    server,
    token,
    getToken,
    user_id: options.userId ?? options.user_id,
    display_name: options.displayName ?? options.display_name,
    avatar_url: options.avatarUrl ?? options.avatar_url,
    color,
  };
}

/**
 * Have a selector give the same value as before while it selects the same: for lists and objects,
 * while their members are the same.
 *
 * @param before  what another selector gave last
 */
export function steady<T>(select: (snapshot: Snapshot) => T, before: { value: T } | null = null): (snapshot: Snapshot) => T {
  let of: Snapshot | null = null;
  let last = before;
  return (snapshot) => {
    if (last && of === snapshot) return last.value;
    const value = select(snapshot);
    of = snapshot;
    if (!last || !isSame(last.value, value)) last = { value };
    return last.value;
  };
}

function isSame(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || !one || !other) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const names = Object.keys(one);
  if (names.length !== Object.keys(other).length) return false;
  return names.every(
    (name) => Object.hasOwn(other, name) && Object.is(one[name as keyof object], other[name as keyof object]),
  );
}
