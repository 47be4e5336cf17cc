// A provider for Yjs on the socket of presence: it keeps a document and its awareness in step
// with the board of a client (specification, section 9). It imports no Yjs: the page passes its own.

import { forget, goodbye, othersOf, ownEntry, takeEntries } from './presence-yjs-awareness.js';
import { Saving } from './presence-yjs-saving.js';
import {
  AWARENESS, awarenessMessage, DENIED, isEmpty, QUERY, readMessage, STEP_1, STEP_2, syncMessage, UPDATE,
} from './presence-yjs-wire.js';

/** @typedef {import('./presence-client.js').PresenceClient} PresenceClient */
/** @typedef {import('./presence-yjs-types.js').AwarenessChange} AwarenessChange */
/** @typedef {import('./presence-yjs-types.js').ProviderOptions} ProviderOptions */
/** @typedef {import('./presence-yjs-types.js').ProviderStatus} ProviderStatus */
/** @typedef {import('./presence-yjs-types.js').SharedDoc} SharedDoc */

/**
 * A document on a board.
 *
 *     const provider = new PresenceYjsProvider(client, doc, { Y, awareness });
 *     provider.addEventListener('status', () => draw(provider.status));
 *
 * Events, all CustomEvents: `status` ({@link ProviderStatus}), `sync` (a boolean), `denied` (`{reason}`).
 */
export class PresenceYjsProvider extends EventTarget {
  #Y;
  #saving = new Saving();
  /** @type {AbortController | null} */
  #listening = null;
  /** Whether there is a connection that may carry the document. */
  #isOn = false;
  /** Whether that connection is on the board, and not only in its queue. */
  #isMember = false;
  /** Whether the server has asked on that connection for what it lacks. */
  #isAsked = false;
  #isSynced = false;
  /** Whether the server takes no changes, as far as is known. */
  #isDenied = false;
  /** The others that were there before the connection was lost. @type {Set<number>} */
  #doubtful = new Set();
  /** @type {ProviderStatus} */
  #status = Object.freeze({ status: 'disconnected', synced: false, saved: true, readOnly: false });
  /** @type {Map<Function, EventListener>} */
  #wrapped = new Map();

  /**
   * @param {PresenceClient} client  whose board it is; the page connects it
   * @param {SharedDoc} doc  a `Y.Doc`
   * @param {ProviderOptions} options
   */
  constructor(client, doc, { Y, awareness, connect = true }) {
    super();
    this.client = client;
    this.doc = doc;
    this.awareness = awareness ?? null;
    this.#Y = Y;
    doc.on('update', this.#changed);
    doc.on('destroy', this.destroy);
    if (connect) this.connect();
  }

  get status() {
    return this.#status;
  }

  /** Whether all that the server has is in the document. */
  get synced() {
    return this.#status.synced;
  }

  /** Whether every change that was made here is durable. */
  get saved() {
    return this.#status.saved;
  }

  /** Whether the server takes no changes. */
  get readOnly() {
    return this.#status.readOnly;
  }

  /** Follow the client's connection; it has no effect if that is so already. */
  connect() {
    if (this.#listening) return;
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    this.client.addEventListener('state', () => this.#follow(), { signal });
    this.client.addEventListener('binary', (event) => this.#receive(detailOf(event).data), { signal });
    this.client.addEventListener('stored', (event) => this.#stored(detailOf(event).updates), { signal });
    this.awareness?.on('update', this.#said);
    this.#follow();
  }

  /** Let document and board go different ways. The client stays on the board. */
  disconnect() {
    if (!this.#listening) return;
    this.#listening.abort();
    this.#listening = null;
    this.awareness?.off('update', this.#said);
    if (this.#isMember && this.awareness) this.client.sendBinary(awarenessMessage(goodbye(this.awareness)));
    this.#lost();
    this.#forgetDoubtful();
    this.#show();
  }

  /** Disconnect for good; document, awareness and client live on. */
  destroy = () => {
    this.disconnect();
    this.doc.off('update', this.#changed);
    this.doc.off('destroy', this.destroy);
  };

  /**
   * Listen as to the providers that come with Yjs, for libraries that take one: the function gets the detail.
   *
   * @param {string} type
   * @param {(detail: any) => void} listener
   */
  on(type, listener) {
    if (!this.#wrapped.has(listener)) this.#wrapped.set(listener, (event) => listener(detailOf(event)));
    this.addEventListener(type, /** @type {EventListener} */ (this.#wrapped.get(listener)));
  }

  /**
   * @param {string} type
   * @param {(detail: any) => void} listener
   */
  off(type, listener) {
    this.removeEventListener(type, this.#wrapped.get(listener) ?? null);
  }

  // --- the connection -----------------------------------------------------------

  #follow() {
    const { state } = this.client;
    const isMember = state === 'joined';
    if (isMember || state === 'queued') {
      if (!this.#isOn) this.#opened();
      if (isMember && !this.#isMember) this.#admitted();
    } else {
      if (this.#isOn) this.#lost();
      if (state === 'closed') this.#forgetDoubtful();
    }
    this.#show();
  }

  #opened() {
    this.#isOn = true;
    // Somebody who was let in is asked for what they typed while they waited.
    if (this.client.state === 'queued') this.#isDenied = true;
    this.#saving.opened();
    this.client.sendBinary(syncMessage(STEP_1, this.#Y.encodeStateVector(this.doc)));
  }

  #admitted() {
    this.#isMember = true;
    const state = this.awareness?.getLocalState() ?? null;
    // With a higher clock: the server may have told the others that this client is gone.
    if (state !== null) this.awareness?.setLocalState(state);
  }

  #lost() {
    this.#isOn = false;
    this.#isMember = false;
    this.#isAsked = false;
    this.#isSynced = false;
    if (this.awareness) this.#doubtful = othersOf(this.awareness);
  }

  #forgetDoubtful() {
    if (this.awareness) forget(this.awareness, this.#doubtful, this);
    this.#doubtful.clear();
  }

  // --- from the server ----------------------------------------------------------

  /** @param {ArrayBuffer} data */
  #receive(data) {
    const { kind, payload } = readMessage(data);
    switch (kind) {
      case STEP_1:
        this.#give(payload);
        break;
      case STEP_2:
        this.#isSynced = true;
        this.#take(payload);
        break;
      case UPDATE:
        this.#take(payload);
        break;
      case AWARENESS:
        this.#hear(payload);
        break;
      case QUERY:
        this.#say();
        break;
      case DENIED:
        this.#deny(new TextDecoder().decode(payload));
    }
    this.#show();
  }

  /** @param {Uint8Array} update */
  #take(update) {
    try {
      this.#Y.applyUpdate(this.doc, update, this);
    } catch (error) {
      // Of a listener of the document: the provider goes on.
      console.error('presence: an update of the document', error);
    }
  }

  /** @param {Uint8Array} vector  what the server has */
  #give(vector) {
    this.#isAsked = true;
    this.#isDenied = false;
    const update = this.#Y.encodeStateAsUpdate(this.doc, this.#saving.since(vector));
    if (this.client.sendBinary(syncMessage(STEP_2, update))) this.#saving.answered(isEmpty(update));
    this.#settle();
  }

  /** @param {Uint8Array} entries */
  #hear(entries) {
    // The server ends its answer with awareness; before that it asks everybody who may change the document.
    if (this.#isSynced && this.#isMember && !this.#isAsked) this.#isDenied = true;
    if (!this.awareness) return;
    const { clients, isNudged } = takeEntries(this.awareness, entries, this);
    for (const client of clients) this.#doubtful.delete(client);
    if (this.#isSynced) this.#forgetDoubtful();
    if (isNudged) this.#say();
  }

  /** @param {string} reason */
  #deny(reason) {
    this.#isDenied = true;
    this.#saving.denied();
    this.dispatchEvent(new CustomEvent('denied', { detail: { reason } }));
  }

  /** @param {number} messages */
  #stored(messages) {
    this.#saving.stored(messages);
    this.#settle();
    this.#show();
  }

  #settle() {
    if (this.#saving.saved) this.#saving.settled(this.#Y.encodeStateVector(this.doc));
  }

  // --- to the server ------------------------------------------------------------

  /** A transaction of the document. @param {Uint8Array} update  @param {unknown} origin */
  #changed = (update, origin) => {
    if (origin === this) return;
    // What follows on changes that the server lacks would be asked for with them.
    const mayGo = this.#isMember && !this.#isDenied && (this.#isAsked || !this.#saving.owes);
    if (mayGo && this.client.sendBinary(syncMessage(UPDATE, update))) this.#saving.sent();
    else this.#saving.missed();
    this.#show();
  };

  /** @param {AwarenessChange} change  @param {unknown} origin */
  #said = ({ added, updated, removed }, origin) => {
    const own = this.awareness?.clientID;
    if (origin !== this && [...added, ...updated, ...removed].some((client) => client === own)) this.#say();
  };

  #say() {
    if (this.#isMember && this.awareness) this.client.sendBinary(awarenessMessage(ownEntry(this.awareness)));
  }

  // --- what the page sees -------------------------------------------------------

  #show() {
    const { synced } = this.#status;
    const next = this.#look();
    if (Object.entries(next).every(([name, value]) => this.#status[/** @type {keyof ProviderStatus} */ (name)] === value)) return;
    this.#status = next;
    this.dispatchEvent(new CustomEvent('status', { detail: next }));
    if (next.synced !== synced) this.dispatchEvent(new CustomEvent('sync', { detail: next.synced }));
  }

  /** @returns {ProviderStatus} */
  #look() {
    const { state } = this.client;
    const isOver = !this.#listening || state === 'new' || state === 'closed';
    return Object.freeze({
      status: this.#isOn ? 'connected' : isOver ? 'disconnected' : 'connecting',
      synced: this.#isSynced,
      saved: this.#saving.saved,
      readOnly: this.#isDenied,
    });
  }
}

/** @param {Event} event  @returns {any} */
function detailOf(event) {
  return /** @type {CustomEvent} */ (event).detail;
}
