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
  #queue = /** @type {HTMLElement} */ (document.querySelector('#queue'));
  #shown = '';

  /** @param {Status} status */
  show(status) {
    this.#showPill(status);
    switch (status.state) {
      case 'joined':
        return this.#open('');
      case 'queued':
      case 'full':
        return this.#open('waiting');
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
    const heading = /** @type {HTMLElement | null} */ (this.#holder.querySelector('section:not([hidden]) h2'));
    (name === 'waiting' ? this.#queue : heading)?.focus({ preventScroll: true });
  }
}
