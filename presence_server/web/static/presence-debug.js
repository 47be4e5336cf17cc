// <presence-debug board="demo">: a panel for developers, with the state of a client, its
// round trip and its last events, and a button that drops the connection. It is in English.

import { element, set, setText } from './presence-avatar.js';
import { PRESENCE_DEBUG_CSS } from './presence-debug-style.js';
import { CLIENT_ATTRIBUTES, define, PresenceElement } from './presence-element.js';
import { styleSheet } from './presence-sheet.js';

/** @typedef {import('./presence-client.js').PresenceClient} PresenceClient */
/** @typedef {import('./presence-connection.js').Connection} Connection */

const OWN_ATTRIBUTES = ['lines'];
const DEFAULT_LINES = 50;
const TICK_MS = 1_000;
const CONNECTION = Symbol.for('presence-server.connection');
/** Those of a client. */
const EVENTS = /** @type {const} */ (['state', 'users', 'cursors', 'error', 'stored', 'binary']);

/**
 * Beside the attributes of {@link PresenceElement}: `lines`, how many events are kept.
 */
export class PresenceDebug extends PresenceElement {
  /** @override */
  static observedAttributes = [...CLIENT_ATTRIBUTES, ...OWN_ATTRIBUTES];

  #root = this.attachShadow({ mode: 'open' });
  #facts = element('dl', '', '');
  /** @type {Map<string, HTMLElement>} */
  #values = new Map();
  #events = element('ol', '', '');
  /** How often something came that is not worth a line each time: cursors and documents. @type {Map<string, number>} */
  #counts = new Map();
  #ticking = 0;

  constructor() {
    super();
    const panel = element('section', 'panel', '');
    const buttons = element('div', 'buttons', '');
    set(panel, { part: 'panel', lang: 'en', dir: 'ltr', role: 'group', 'aria-label': 'Presence' });
    set(this.#events, { part: 'events', tabindex: '0', 'aria-label': 'Last events' });
    buttons.append(
      this.#button('Drop', 'End the connection as a lost network does', () => this.#connection?.drop()),
      this.#button('Leave', 'Leave the board', () => this.client?.leave()),
      this.#button('Connect', 'Join the board again', () => this.client?.connect()),
      this.#button('Clear', 'Forget the events', () => this.#events.replaceChildren()),
    );
    panel.append(this.#facts, buttons, this.#events);
    this.#root.adoptedStyleSheets = [styleSheet(PRESENCE_DEBUG_CSS)];
    this.#root.append(panel);
  }

  /**
   * @param {PresenceClient | null} client
   * @param {AbortSignal | null} signal
   * @override
   */
  watch(client, signal) {
    clearInterval(this.#ticking);
    this.#counts.clear();
    if (client === null || signal === null) return;
    for (const type of EVENTS) {
      client.addEventListener(type, (event) => this.#note(type, /** @type {CustomEvent} */ (event).detail), { signal });
    }
    this.#ticking = window.setInterval(() => this.#tick(), TICK_MS);
    this.#tick();
  }

  /** @override */
  changed() {
    this.#draw();
  }

  /** @returns {Connection | undefined} */
  get #connection() {
    return /** @type {any} */ (this.client)?.[CONNECTION];
  }

  /** Ask for the round trip, and show the last one. */
  #tick() {
    if (document.visibilityState === 'visible') this.#connection?.ask();
    this.#draw();
  }

  #draw() {
    const { client } = this;
    const { state = 'none', ...status } = client?.status ?? {};
    const people = [...(client?.users.values() ?? [])];
    const trip = client?.roundTripMs ?? null;
    this.#fact('state', state);
    this.#fact('status', Object.entries(status).map(([name, value]) => `${name} ${value}`).join(', '));
    this.#fact('board', client?.board ?? '');
    this.#fact('user', client?.userId ?? '');
    this.#fact('people', `${people.length}, ${people.filter((user) => user.connected).length} connected`);
    this.#fact('round trip', trip === null ? '' : `${trip.toFixed(trip < 10 ? 1 : 0)} ms`);
    this.#fact('messages', [...this.#counts].map(([type, count]) => `${count} ${type}`).join(', '));
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  #fact(name, value) {
    let shown = this.#values.get(name);
    if (!shown) {
      shown = element('dd', '', '');
      shown.dataset.fact = name;
      this.#values.set(name, shown);
      this.#facts.append(element('dt', '', name), shown);
    }
    setText(shown, value || '–');
  }

  /**
   * @param {string} type
   * @param {any} detail
   */
  #note(type, detail) {
    if (type === 'cursors' || type === 'binary') {
      this.#counts.set(type, (this.#counts.get(type) ?? 0) + 1);
      return;
    }
    const at = new Date(this.client?.serverTime ?? 0).toISOString().slice(11, 23);
    this.#events.prepend(element('li', '', `${at} ${type} ${summaryOf(type, detail)}`));
    const lines = Number.parseInt(this.getAttribute('lines') ?? '', 10) || DEFAULT_LINES;
    while (this.#events.children.length > lines) this.#events.lastElementChild?.remove();
    this.#draw();
  }

  /**
   * @param {string} text
   * @param {string} title
   * @param {() => void} action
   */
  #button(text, title, action) {
    const button = element('button', '', text);
    set(button, { part: 'button', type: 'button', title });
    button.addEventListener('click', action);
    return button;
  }
}

/**
 * @param {string} type
 * @param {any} detail
 * @returns {string}
 */
function summaryOf(type, detail) {
  if (type !== 'users') return JSON.stringify(detail);
  const { kind, user, reason } = detail;
  const who = user ? `${user.user_id} ${user.status}${user.connected ? '' : ' not connected'}` : '';
  return [kind, who, reason].filter(Boolean).join(' ');
}

define('presence-debug', PresenceDebug);
