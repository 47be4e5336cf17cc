// What the server's events change, and whom they concern.

import { readEvent } from './presence-replica.js';

/** @typedef {import('./presence-clock.js').ServerClock} ServerClock */
/** @typedef {import('./presence-replica.js').BoardReplica} BoardReplica */
/** @typedef {import('./presence-replica.js').CursorMove} CursorMove */
/** @typedef {import('./presence-replica.js').UsersChange} UsersChange */

/**
 * @typedef {object} InboxHandlers
 * @property {(payload: any) => void} joined
 * @property {(payload: any) => void} queued
 * @property {(payload: any) => void} watching
 * @property {(change: UsersChange | null) => void} changed  null: of somebody who is not there
 * @property {(cursors: CursorMove[]) => void} moved
 * @property {() => void} answered  a heartbeat was
 * @property {(expiresAt: number) => void} refreshed  the token was
 * @property {(updates: number) => void} stored  so many binary messages of this connection are durable
 * @property {(payload: any) => void} failed
 */

/**
 * Take in a text frame: bring clock and replica up to date, and tell who it concerns.
 * The snapshots of `board:joined` and `board:watching` are left to their handlers.
 *
 * @param {string} data
 * @param {ServerClock} clock
 * @param {BoardReplica} replica
 * @param {InboxHandlers} handlers
 */
export function takeIn(data, clock, replica, handlers) {
  const { type, payload } = readEvent(data);
  clock.heard(payload.server_time);
  switch (type) {
    case 'board:joined':
      return handlers.joined(payload);
    case 'board:queued':
      return handlers.queued(payload);
    case 'board:watching':
      return handlers.watching(payload);
    case 'user:joined':
      return handlers.changed(replica.joined(payload));
    case 'user:left':
      return handlers.changed(replica.left(payload));
    case 'user:updated':
      return handlers.changed(replica.replaced(payload));
    case 'presence:update':
      return handlers.changed(replica.updated(payload));
    case 'presence:cursors':
      return handlers.moved(replica.cursors(payload));
    case 'heartbeat:ack':
      return handlers.answered();
    case 'auth:refreshed':
      return handlers.refreshed(payload.expires_at);
    case 'document:stored':
      return handlers.stored(payload.updates);
    case 'error':
      return handlers.failed(payload);
  }
}

/**
 * @param {any} payload  of board:queued
 * @param {boolean | undefined} watching  whether the client sees the board meanwhile
 * @returns {import('./presence-types.js').Status}
 */
export function queuedStatus({ position, queue_length: queueLength, capacity, eta_s: etaS }, watching) {
  const known = { ...(etaS === undefined ? {} : { etaS }), ...(watching ? { watching } : {}) };
  return { state: 'queued', position, queueLength, capacity, ...known };
}
