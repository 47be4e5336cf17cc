// Everybody's cursor on the canvas. A cursor is sent in board units, on a canvas
// of 1600 by 900 that is scaled to each window, so that everybody points at the
// same thing.

import { safeColor, textOn } from './presence-people.js';

/** @typedef {import('./presence-client.js').PresenceClient} PresenceClient */
/** @typedef {import('./presence-replica.js').User} User */

export const BOARD_WIDTH = 1600;
export const BOARD_HEIGHT = 900;
/** Above this many cursors only those that move show a name. */
const CROWD = 12;
const RECENT_MS = 2_000;
const ARROW = 'M2 1.5 18 9l-7 2.2-3.3 6.8z';

/** Draws the cursors of a client's board into an element. */
export class CursorLayer {
  #layer;
  #scale = 1;
  /** @type {PresenceClient | null} */
  #client = null;
  /** @type {Map<string, {element: HTMLElement, look: string, quiet: number}>} */
  #cursors = new Map();

  /** @param {HTMLElement} layer */
  constructor(layer) {
    this.#layer = layer;
  }

  /** @param {PresenceClient} client */
  show(client) {
    this.#client = client;
    client.addEventListener('users', () => this.#client === client && this.#sync());
    client.addEventListener('cursors', (event) => {
      if (this.#client !== client) return;
      const { cursors } = /** @type {CustomEvent} */ (event).detail;
      for (const [userId] of cursors) {
        const user = client.users.get(userId);
        if (user) this.#place(user, true);
      }
      this.#count();
    });
    this.#sync();
  }

  /** @param {number} scale  screen pixels per board unit */
  set scale(scale) {
    this.#scale = scale;
    this.#sync();
  }

  #sync() {
    const users = this.#client?.users ?? new Map();
    for (const userId of [...this.#cursors.keys()]) if (!users.has(userId)) this.#remove(userId);
    for (const user of users.values()) this.#place(user, false);
    this.#count();
  }

  #count() {
    this.#layer.classList.toggle('crowded', this.#cursors.size > CROWD);
  }

  /**
   * @param {User} user
   * @param {boolean} moved  glide there, and show whose it is
   */
  #place(user, moved) {
    if (user.user_id === this.#client?.userId) return;
    if (user.cursor === null) return this.#remove(user.user_id);
    const look = JSON.stringify([user.display_name, user.color]);
    let cursor = this.#cursors.get(user.user_id);
    const isNew = cursor === undefined;
    if (!cursor || cursor.look !== look) {
      this.#remove(user.user_id);
      cursor = { element: draw(user), look, quiet: 0 };
      this.#cursors.set(user.user_id, cursor);
      this.#layer.append(cursor.element);
    }
    const { element } = cursor;
    const x = Math.min(Math.max(user.cursor.x, 0), BOARD_WIDTH);
    const y = Math.min(Math.max(user.cursor.y, 0), BOARD_HEIGHT);
    element.classList.toggle('jump', isNew || !moved);
    element.classList.toggle('flip', x > BOARD_WIDTH - 130 / this.#scale);
    element.classList.toggle('rise', y > BOARD_HEIGHT - 44 / this.#scale);
    element.toggleAttribute('data-faded', !user.connected || user.status === 'away');
    element.style.transform = `translate(${x * this.#scale}px, ${y * this.#scale}px)`;
    if (!moved) return;
    element.toggleAttribute('data-recent', true);
    clearTimeout(cursor.quiet);
    cursor.quiet = window.setTimeout(() => element.removeAttribute('data-recent'), RECENT_MS);
  }

  /** @param {string} userId */
  #remove(userId) {
    const cursor = this.#cursors.get(userId);
    if (!cursor) return;
    clearTimeout(cursor.quiet);
    cursor.element.remove();
    this.#cursors.delete(userId);
  }
}

/** @param {User} user */
function draw(user) {
  const element = document.createElement('div');
  element.className = 'cursor';
  element.dataset.cursorUser = user.user_id;
  const color = safeColor(user.color);
  element.style.setProperty('--color', color);
  element.style.setProperty('--on-color', textOn(color));
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 20 22');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', ARROW);
  svg.append(path);
  const label = document.createElement('span');
  label.textContent = user.display_name;
  element.append(svg, label);
  return element;
}
