// <presence-queue board="demo">: shows somebody who waits for a seat where they are.
// It is only seen while its client is in the queue, or the board is full without one.

import { element, set, setText } from './presence-avatar.js';
import { CLIENT_ATTRIBUTES, define, PresenceElement } from './presence-element.js';
import { PRESENCE_QUEUE_CSS } from './presence-queue-style.js';
import { styleSheet } from './presence-sheet.js';
import { Wait } from './presence-wait.js';

/** @typedef {import('./presence-client.js').PresenceClient} PresenceClient */
/** @typedef {import('./presence-turn.js').Turn} Turn */
/** @typedef {import('./presence-types.js').Status} Status */

const DEFAULT_WAYS = 'title favicon';
const TICK_MS = 1_000;

/**
 * Beside the attributes of {@link PresenceElement}: `notify`, in which ways the page tells
 * that it is the user's turn: `title`, `favicon`, `sound`, `notification`, with spaces
 * between them; by default the first two. The event `presence-turn` comes in any case.
 */
export class PresenceQueue extends PresenceElement {
  /** @override */
  static observedAttributes = [...CLIENT_ATTRIBUTES, 'notify'];

  #root = this.attachShadow({ mode: 'open', delegatesFocus: true });
  #title = element('h2', '', 'The board is full');
  #position = element('p', 'big', '');
  #estimate = element('p', 'estimate', '');
  #progress = /** @type {HTMLProgressElement} */ (document.createElement('progress'));
  #note = element('p', '', '');
  #ask = /** @type {HTMLButtonElement} */ (element('button', '', 'Notify me'));
  #leave = /** @type {HTMLButtonElement} */ (element('button', '', ''));
  #screen = element('section', 'screen', '');
  /** Loaded for those who wait: most people never do. @type {Promise<Turn> | null} */
  #turn = null;
  /** @type {Wait | null} */
  #wait = null;
  #retryAt = 0;
  #ticking = 0;

  constructor() {
    super();
    set(this.#title, { part: 'title', tabindex: '-1' });
    set(this.#position, { part: 'position', 'aria-live': 'polite' });
    set(this.#estimate, { part: 'estimate', 'data-testid': 'queue-estimate' });
    set(this.#progress, { part: 'progress', max: '1', 'aria-label': 'Your way through the queue' });
    set(this.#ask, { part: 'button', type: 'button', 'data-testid': 'queue-ask' });
    set(this.#leave, { part: 'button', type: 'button', 'data-testid': 'queue-leave' });
    set(this.#screen, { part: 'screen' });
    const buttons = element('div', 'buttons', '');
    buttons.append(this.#ask, this.#leave);
    this.#screen.append(this.#title, this.#position, this.#estimate, this.#progress, this.#note, buttons);
    this.#root.adoptedStyleSheets = [styleSheet(PRESENCE_QUEUE_CSS)];
    this.#root.append(this.#screen);
    this.#leave.addEventListener('click', () => this.client?.leave());
    this.#ask.addEventListener('click', async () => {
      await Notification.requestPermission();
      this.changed();
    });
  }

  /**
   * @param {PresenceClient | null} client
   * @param {AbortSignal | null} signal
   * @override
   */
  watch(client, signal) {
    this.#stop();
    this.removeAttribute('data-waits');
    if (client === null || signal === null) return;
    client.addEventListener('state', () => this.#show(client.status), { signal });
    this.#show(client.status);
  }

  /** @override */
  changed() {
    const canAsk = this.#ways().has('notification') && globalThis.Notification?.permission === 'default';
    this.#ask.hidden = !canAsk || this.client?.state !== 'queued';
  }

  #ways() {
    return new Set((this.getAttribute('notify') ?? DEFAULT_WAYS).split(/\s+/));
  }

  /** @param {(turn: Turn) => void} what */
  #tell(what) {
    this.#turn ??= import('./presence-turn.js').then(({ Turn }) => new Turn(() => this.#ways()));
    this.#turn.then(what, () => (this.#turn = null)); // The next change loads it again.
  }

  #stop() {
    clearInterval(this.#ticking);
    this.#ticking = 0;
    this.#wait = null;
    this.#turn?.then((turn) => turn.ends());
  }

  /** @param {Status} status */
  #show(status) {
    // A lost connection keeps the place, so the screen stays.
    if (status.state === 'reconnecting' || status.state === 'connecting') return;
    const waited = this.#wait !== null;
    this.toggleAttribute('data-waits', status.state === 'queued' || status.state === 'full');
    if (status.state === 'queued') this.#queued(status);
    else {
      this.#stop();
      if (status.state === 'full') this.#full(status);
      else if (status.state === 'joined' && waited) this.#comes();
    }
    this.changed();
  }

  /** @param {Status} status */
  #queued({ position = 1, queueLength = 1, capacity = 0, etaS }) {
    const now = performance.now() / 1000;
    this.#wait ??= new Wait(position, now);
    this.#wait.moved(position, etaS, now);
    this.#tell((turn) => turn.waits(position));
    set(this.#screen, { 'data-testid': 'queue-screen', 'data-kind': 'queued' });
    set(this.#position, { 'data-testid': 'queue-position' });
    setText(this.#position, `You are number ${position} of ${queueLength} in the queue`);
    const seats = capacity === 1 ? 'The one seat is taken' : `All ${capacity} seats are taken`;
    setText(this.#note, `${seats}. You come in by yourself when it is your turn; keep this tab open.`);
    setText(this.#leave, 'Leave the queue');
    this.#tick();
  }

  /** @param {Status} status */
  #full({ retryInMs = 0 }) {
    this.#retryAt = performance.now() + retryInMs;
    set(this.#screen, { 'data-testid': 'full-screen', 'data-kind': 'full' });
    set(this.#position, { 'data-testid': 'retry-countdown' });
    setText(this.#note, 'Everyone who fits is already here. We keep trying, so you can leave this tab open.');
    setText(this.#leave, 'Stop trying');
    this.#tick();
  }

  /** What changes with time alone. */
  #tick() {
    this.#ticking ||= window.setInterval(() => this.#tick(), TICK_MS);
    const now = performance.now();
    if (this.#wait) {
      setText(this.#estimate, this.#wait.estimate(now / 1000));
      this.#progress.value = this.#wait.progress(now / 1000);
    } else {
      const seconds = Math.ceil((this.#retryAt - now) / 1000);
      setText(this.#position, seconds > 0 ? `Trying again in ${seconds} s` : 'Trying again…');
    }
  }

  #comes() {
    this.#tell((turn) => turn.comes());
    this.dispatchEvent(new CustomEvent('presence-turn', { bubbles: true, composed: true }));
  }
}

define('presence-queue', PresenceQueue);
