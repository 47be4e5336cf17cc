// The screens that cover the board while the client is not on it.

/** @typedef {import('./presence-client.js').PresenceClient} PresenceClient */
/** @typedef {import('./presence-types.js').Status} Status */

const CLEAN_LEAVE = 1000;

/** @type {Map<number, string>} */
const SCREEN_OF_CODE = new Map([
  [CLEAN_LEAVE, 'left'],
  [4401, 'unauthorized'],
  [4403, 'forbidden'],
  [4409, 'elsewhere'],
  [4410, 'kicked'],
]);

const PILL_WORDS = {
  connecting: 'Connecting', queued: 'In the queue', live: 'Live',
  reconnecting: 'Reconnecting', full: 'Board full', offline: 'Offline', left: 'Left',
};

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
function byTestId(id) {
  return /** @type {HTMLElement} */ (document.querySelector(`[data-testid='${id}']`));
}

/** Shows the screen and the header's words that go with a client's state. */
export class Screens {
  #holder = /** @type {HTMLElement} */ (document.querySelector('#screens'));
  #view = /** @type {HTMLElement} */ (document.querySelector('#view'));
  #pill = byTestId('connection-state');
  #position = byTestId('queue-position');
  #countdown = byTestId('retry-countdown');
  #shown = '';
  #retryAt = 0;
  #enteredAt = 0;
  #ticking = 0;

  /**
   * @param {Status} status
   * @param {string} board
   */
  show(status, board) {
    this.#showPill(status);
    clearInterval(this.#ticking);
    document.title = board;
    switch (status.state) {
      case 'joined':
        return this.#open('');
      case 'queued':
        return this.#queued(status, board);
      case 'full':
        this.#retryAt = performance.now() + (status.retryInMs ?? 0);
        this.#ticking = window.setInterval(() => this.#tick(), 250);
        this.#tick();
        return this.#open('full');
      case 'closed':
        return this.#closed(status);
      default: // connecting or reconnecting: the last screen stays
    }
  }

  /** @param {Status} status */
  #showPill({ state, code, offline }) {
    let word = state === 'joined' ? 'live' : state;
    if (offline || (state === 'reconnecting' && !navigator.onLine)) word = 'offline';
    if (state === 'closed') word = code === CLEAN_LEAVE ? 'left' : 'offline';
    const text = PILL_WORDS[/** @type {keyof typeof PILL_WORDS} */ (word)] ?? 'Connecting';
    this.#pill.dataset.state = word;
    if (this.#pill.textContent !== text) this.#pill.textContent = text;
  }

  /**
   * @param {Status} status
   * @param {string} board
   */
  #queued({ position = 1, queueLength = 1, capacity = 0 }, board) {
    if (this.#shown !== 'queued') this.#enteredAt = position;
    this.#enteredAt = Math.max(this.#enteredAt, position);
    this.#position.textContent = `You are number ${position} of ${queueLength} in the queue`;
    const progress = /** @type {HTMLProgressElement} */ (document.querySelector('#queue-progress'));
    progress.value = (this.#enteredAt - position) / this.#enteredAt;
    const note = /** @type {HTMLElement} */ (document.querySelector('#queue-note'));
    const seats = capacity === 1 ? 'The one seat is taken' : `All ${capacity} seats are taken`;
    note.textContent = `${seats}. You come in by yourself when it is your turn; keep this tab open.`;
    document.title = `${position} in the queue · ${board}`;
    this.#open('queued');
  }

  #tick() {
    const seconds = Math.ceil((this.#retryAt - performance.now()) / 1000);
    const text = seconds > 0 ? `Trying again in ${seconds} s` : 'Trying again…';
    if (this.#countdown.textContent !== text) this.#countdown.textContent = text;
  }

  /** @param {Status} status */
  #closed({ code = 0, reason = '' }) {
    const screen = SCREEN_OF_CODE.get(code) ?? 'broken';
    const detail = /** @type {HTMLElement} */ (document.querySelector('#broken-detail'));
    detail.textContent = `Close code ${code}${reason ? `: ${reason}` : ''}`;
    this.#open(screen);
  }

  /** @param {string} name  empty: the board itself */
  #open(name) {
    if (this.#shown === name) return;
    this.#shown = name;
    for (const screen of this.#holder.querySelectorAll('section')) {
      screen.hidden = screen.dataset.screen !== name;
    }
    this.#holder.hidden = name === '';
    this.#view.inert = name !== '';
    /** @type {HTMLElement | null} */ (
      this.#holder.querySelector('section:not([hidden]) h2')
    )?.focus({ preventScroll: true });
  }
}
