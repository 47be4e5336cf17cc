// <presence-queue board="demo">: shows somebody who waits for a seat where they are.
// It is only seen while its client is in the queue, or the board is full without one.

import { CLIENT_ATTRIBUTES, define, PresenceElement } from './presence-element.js';

/** @typedef {import('./presence-client.js').PresenceClient} PresenceClient */
/** @typedef {import('./presence-queue-screen.js').QueueScreen} QueueScreen */
/** @typedef {import('./presence-types.js').Status} Status */

/**
 * Beside the attributes of {@link PresenceElement}: `notify`, in which ways the page tells
 * that it is the user's turn: `title`, `favicon`, `sound`, `notification`, with spaces
 * between them; by default the first two. The event `presence-turn` comes in any case.
 */
export class PresenceQueue extends PresenceElement {
  /** @override */
  static observedAttributes = [...CLIENT_ATTRIBUTES, 'notify'];

  #root = this.attachShadow({ mode: 'open', delegatesFocus: true });
  /** Loaded for those who wait: most people never do. @type {Promise<void> | null} */
  #loading = null;
  /** @type {QueueScreen | null} */
  #screen = null;
  #isQueued = false;
  /** How the focus was asked for before there was anything to have it. @type {FocusOptions | null} */
  #focus = null;

  /**
   * @param {PresenceClient | null} client
   * @param {AbortSignal | null} signal
   * @override
   */
  watch(client, signal) {
    this.#isQueued = false;
    this.#screen?.stop();
    this.removeAttribute('data-waits');
    if (client === null || signal === null) return;
    client.addEventListener('state', () => this.#show(client.status), { signal });
    this.#show(client.status);
  }

  /** @override */
  changed() {
    this.#screen?.draw();
  }

  /** @param {FocusOptions} [options]  @override */
  focus(options = {}) {
    this.#focus = this.#screen ? null : options;
    super.focus(options);
  }

  /** @param {Status} status */
  #show(status) {
    const { state } = status;
    // A lost connection keeps the place, so the screen stays.
    if (state === 'reconnecting' || state === 'connecting') return;
    const waits = state === 'queued' || state === 'full';
    const isTurn = this.#isQueued && state === 'joined';
    this.#isQueued = state === 'queued';
    this.toggleAttribute('data-waits', waits);
    if (waits) this.#load();
    this.#screen?.show(status, isTurn);
    if (isTurn) this.dispatchEvent(new CustomEvent('presence-turn', { bubbles: true, composed: true }));
  }

  #load() {
    this.#loading ??= import('./presence-queue-screen.js').then(({ QueueScreen }) => {
      this.#screen = new QueueScreen(this, this.#root);
      if (this.hasAttribute('data-waits') && this.client) this.#screen.show(this.client.status, false);
      if (this.#focus) this.focus(this.#focus);
    }).catch((error) => {
      this.#loading = null; // The next change loads it again.
      console.warn(`presence-queue: ${error}`);
    });
  }
}

define('presence-queue', PresenceQueue);
