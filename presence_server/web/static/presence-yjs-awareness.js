// Awareness: what the clients of a document say about themselves. These functions work on an
// object of the class Awareness of y-protocols, whichever copy of it the page has.

import { Reader, Writer } from './presence-yjs-wire.js';

/** @typedef {import('./presence-yjs-types.js').AwarenessChange} AwarenessChange */
/** @typedef {import('./presence-yjs-types.js').SharedAwareness} SharedAwareness */

/**
 * One's own state.
 *
 * @param {SharedAwareness} awareness
 * @returns {Uint8Array} entries
 */
export function ownEntry(awareness) {
  const { clientID } = awareness;
  return entry(clientID, clockOf(awareness), awareness.getLocalState());
}

/**
 * Word to the others that one's own client is gone. The state stays, and is said with a higher clock later.
 *
 * @param {SharedAwareness} awareness
 * @returns {Uint8Array} entries
 */
export function goodbye(awareness) {
  const clock = clockOf(awareness) + 1;
  awareness.meta.set(awareness.clientID, { clock, lastUpdated: Date.now() });
  return entry(awareness.clientID, clock, null);
}

/** The others that have a state. @param {SharedAwareness} awareness  @returns {Set<number>} */
export function othersOf(awareness) {
  const others = new Set(awareness.states.keys());
  others.delete(awareness.clientID);
  return others;
}

/**
 * Forget the states of clients that are not there any more.
 *
 * @param {SharedAwareness} awareness
 * @param {Iterable<number>} clients
 * @param {unknown} origin  for the events of the awareness
 */
export function forget(awareness, clients, origin) {
  const removed = [...clients].filter((client) => awareness.states.delete(client));
  announce(awareness, { added: [], updated: [], removed }, [], origin);
}

/**
 * Take states that the server sent.
 *
 * @param {SharedAwareness} awareness
 * @param {Uint8Array} entries
 * @param {unknown} origin  for the events of the awareness
 * @returns {{clients: number[], isNudged: boolean}} whom they were about; and whether the server did not
 *   know one's own state, whose clock is higher now
 * @throws {RangeError | SyntaxError} they are damaged
 */
export function takeEntries(awareness, entries, origin) {
  const reader = new Reader(entries);
  /** @type {AwarenessChange} */
  const change = { added: [], updated: [], removed: [] };
  const changed = [];
  const clients = [];
  let isNudged = false;
  for (let count = reader.number(); count > 0; count -= 1) {
    const client = reader.number();
    let clock = reader.number();
    const state = JSON.parse(reader.text());
    clients.push(client);
    const before = awareness.states.get(client);
    if (!isNewer(awareness, client, clock, state)) continue;
    if (state !== null) {
      awareness.states.set(client, state);
      change[before === undefined ? 'added' : 'updated'].push(client);
      if (before !== undefined && JSON.stringify(before) !== JSON.stringify(state)) changed.push(client);
    } else if (client === awareness.clientID && awareness.getLocalState() !== null) {
      clock += 1; // Nobody takes away one's own state.
      isNudged = true;
    } else {
      awareness.states.delete(client);
      if (before !== undefined) change.removed.push(client);
    }
    awareness.meta.set(client, { clock, lastUpdated: Date.now() });
  }
  announce(awareness, change, changed, origin);
  return { clients, isNudged };
}

/**
 * @param {SharedAwareness} awareness
 * @param {number} client
 * @param {number} clock
 * @param {any} state
 */
function isNewer(awareness, client, clock, state) {
  const known = awareness.meta.get(client);
  if (known === undefined || known.clock !== clock) return clock > (known?.clock ?? -1);
  // The same clock: somebody who goes, or somebody who was forgotten while the connection was lost.
  return (state === null) === awareness.states.has(client);
}

/** @param {SharedAwareness} awareness */
function clockOf(awareness) {
  return awareness.meta.get(awareness.clientID)?.clock ?? 0;
}

/** @param {number} client  @param {number} clock  @param {any} state */
function entry(client, clock, state) {
  return new Writer().numbers(1, client, clock).text(JSON.stringify(state)).done();
}

/**
 * Tell the listeners of the awareness, as y-protocols does: `update` with every word of a client,
 * `change` only with those that differ.
 *
 * @param {SharedAwareness} awareness
 * @param {AwarenessChange} said
 * @param {number[]} changed  those of `updated` that differ
 * @param {unknown} origin
 */
function announce(awareness, said, changed, origin) {
  const { added, updated, removed } = said;
  if (added.length + changed.length + removed.length > 0) {
    awareness.emit('change', [{ added, updated: changed, removed }, origin]);
  }
  if (added.length + updated.length + removed.length > 0) awareness.emit('update', [said, origin]);
}
