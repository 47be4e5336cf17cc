// What <presence-queue> shows to somebody who waits.

import { element, set, setText } from './presence-avatar.js';
import { PRESENCE_QUEUE_CSS } from './presence-queue-style.js';
import { styleSheet } from './presence-sheet.js';
import { Turn } from './presence-turn.js';
import { Wait } from './presence-wait.js';
import { Words } from './presence-words.js';

/** @typedef {import('./presence-queue.js').PresenceQueue} PresenceQueue */
/** @typedef {import('./presence-types.js').Status} Status */

const DEFAULT_WAYS = 'title favicon';
const TICK_MS = 1_000;

/** @type {import('./presence-words.js').Strings} */
export const QUEUE_ENGLISH = {
  position: 'You are number {position} of {count} in the queue',
  seats: {
    one: 'The one seat is taken. You come in by yourself when it is your turn; keep this tab open.',
    other: 'All {count} seats are taken. You come in by yourself when it is your turn; keep this tab open.',
  },
  noSeat: 'Everyone who fits is already here. We keep trying, so you can leave this tab open.',
  way: 'Your way through the queue',
  leaveQueue: 'Leave the queue',
  stopTrying: 'Stop trying',
  notifyMe: 'Notify me',
  retry: 'Trying again in {count} s',
  retryNow: 'Trying again…',
  soon: 'Any moment now',
  seconds: 'Less than a minute',
  minutes: { one: 'About a minute', other: 'About {count} minutes' },
  titleWaits: '{position} in the queue',
  titleTurn: 'Your turn',
  turn: 'It is your turn',
};

/** Position, estimate and the way so far, or how long until the next attempt. */
export class QueueScreen {
  #host;
  #title = element('h2', '', '');
  #position = element('p', 'big', '');
  #estimate = element('p', 'estimate', '');
  #progress = /** @type {HTMLProgressElement} */ (document.createElement('progress'));
  #note = element('p', '', '');
  #ask = /** @type {HTMLButtonElement} */ (element('button', '', ''));
  #leave = /** @type {HTMLButtonElement} */ (element('button', '', ''));
  #screen = element('section', 'screen', '');
  #turn;
  /** @type {Status} */
  #status = { state: 'new' };
  /** @type {Wait | null} */
  #wait = null;
  #retryAt = 0;
  #ticking = 0;

  /**
   * @param {PresenceQueue} host
   * @param {ShadowRoot} root
   */
  constructor(host, root) {
    Words.learn(QUEUE_ENGLISH);
    this.#host = host;
    this.#turn = new Turn(() => this.#ways(), (name, values) => host.words.say(name, values));
    set(this.#title, { part: 'title', tabindex: '-1' });
    set(this.#position, { part: 'position', 'aria-live': 'polite' });
    set(this.#estimate, { part: 'estimate', 'data-testid': 'queue-estimate' });
    set(this.#progress, { part: 'progress', max: '1' });
    set(this.#ask, { part: 'button', type: 'button', 'data-testid': 'queue-ask' });
    set(this.#leave, { part: 'button', type: 'button', 'data-testid': 'queue-leave' });
    set(this.#screen, { part: 'screen' });
    // The words may run in another direction than the page.
    for (const text of [this.#title, this.#position, this.#estimate, this.#note, this.#ask, this.#leave]) text.dir = 'auto';
    const buttons = element('div', 'buttons', '');
    buttons.append(this.#ask, this.#leave);
    this.#screen.append(this.#title, this.#position, this.#estimate, this.#progress, this.#note, buttons);
    root.adoptedStyleSheets = [styleSheet(PRESENCE_QUEUE_CSS)];
    root.append(this.#screen);
    this.#leave.addEventListener('click', () => host.client?.leave());
    this.#ask.addEventListener('click', async () => {
      await Notification.requestPermission();
      this.draw();
    });
  }

  /**
   * @param {Status} status
   * @param {boolean} isTurn  the user waited, and got a seat
   */
  show(status, isTurn) {
    this.#status = status;
    const { state, position = 1, etaS, retryInMs = 0 } = status;
    const now = performance.now();
    if (state === 'queued') {
      this.#wait ??= new Wait(position, now / 1000);
      this.#wait.moved(position, etaS, now / 1000);
      this.#turn.waits(position);
    } else {
      this.stop();
      this.#retryAt = now + retryInMs;
      if (isTurn) this.#turn.comes();
    }
    if (state === 'queued' || state === 'full') this.#ticking ||= window.setInterval(() => this.draw(), TICK_MS);
    this.draw();
  }

  /** Nobody waits any longer. */
  stop() {
    clearInterval(this.#ticking);
    this.#ticking = 0;
    this.#wait = null;
    this.#turn.ends();
  }

  draw() {
    const { words } = this.#host;
    const canAsk = this.#ways().has('notification') && globalThis.Notification?.permission === 'default';
    this.#ask.hidden = !canAsk || this.#status.state !== 'queued';
    set(this.#screen, { lang: words.lang });
    set(this.#progress, { 'aria-label': words.say('way') });
    setText(this.#title, words.say('full'));
    setText(this.#ask, words.say('notifyMe'));
    if (this.#status.state === 'queued') this.#drawQueued(words);
    else if (this.#status.state === 'full') this.#drawFull(words);
  }

  /** @param {Words} words */
  #drawQueued(words) {
    const { position = 1, queueLength: count = 1, capacity = 0 } = this.#status;
    const now = performance.now() / 1000;
    set(this.#screen, { 'data-testid': 'queue-screen', 'data-kind': 'queued' });
    set(this.#position, { 'data-testid': 'queue-position' });
    setText(this.#position, words.say('position', { position, count }));
    setText(this.#note, words.say('seats', { count: capacity }));
    setText(this.#leave, words.say('leaveQueue'));
    if (!this.#wait) return;
    const estimate = this.#wait.estimate(now);
    setText(this.#estimate, estimate ? words.say(estimate.phrase, { count: estimate.minutes }) : '');
    this.#progress.value = this.#wait.progress(now);
  }

  /** @param {Words} words */
  #drawFull(words) {
    const seconds = Math.ceil((this.#retryAt - performance.now()) / 1000);
    set(this.#screen, { 'data-testid': 'full-screen', 'data-kind': 'full' });
    set(this.#position, { 'data-testid': 'retry-countdown' });
    setText(this.#position, words.say(seconds > 0 ? 'retry' : 'retryNow', { count: seconds }));
    setText(this.#note, words.say('noSeat'));
    setText(this.#leave, words.say('stopTrying'));
  }

  #ways() {
    return new Set((this.#host.getAttribute('notify') ?? DEFAULT_WAYS).split(/\s+/));
  }
}
