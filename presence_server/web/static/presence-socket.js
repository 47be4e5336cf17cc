// One WebSocket of a board.

import { socketAddress } from './presence-address.js';

/** @typedef {import('./presence-environment.js').Environment} Environment */
/** @typedef {import('./presence-session.js').Session} Session */
/** @typedef {import('./presence-types.js').Options} Options */

/**
 * @typedef {object} SocketHandlers
 * @property {() => void} open
 * @property {(data: string | ArrayBuffer) => void} frame
 * @property {(code: number, reason: string) => void} closed
 */

const OPEN = 1;

/** A WebSocket that is listened to until it is closed, by whichever side. */
export class BoardSocket {
  #socket;

  /**
   * @param {Environment} env
   * @param {Options} options
   * @param {Session} session  the one to resume
   * @param {string | null} token  browsers can send one as a subprotocol only
   * @param {SocketHandlers} handlers
   * @throws {TypeError | DOMException} a bad address, or a token with other characters than a JWT's
   */
  constructor(env, options, session, token, handlers) {
    const address = socketAddress({ ...session.guest, ...options }, env.baseUrl, session.id);
    const protocols = token ? ['presence.v1', `bearer.${token}`] : ['presence.v1'];
    const socket = new env.WebSocket(address, protocols);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => handlers.open();
    socket.onmessage = (event) => handlers.frame(event.data);
    socket.onclose = (event) => handlers.closed(event.code, event.reason);
    this.#socket = socket;
  }

  get isOpen() {
    return this.#socket.readyState === OPEN;
  }

  /** Whether it is closed, or closes: the page may not have been told yet. */
  get isDead() {
    return this.#socket.readyState > OPEN;
  }

  /** Bytes the browser could not write yet. */
  get backlog() {
    return this.#socket.bufferedAmount;
  }

  /**
   * @param {string | ArrayBuffer | Uint8Array} data
   * @returns {boolean} whether it was open
   */
  send(data) {
    if (this.isOpen) this.#socket.send(/** @type {ArrayBuffer} */ (data));
    return this.isOpen;
  }

  /**
   * Close it, and hear no more of it.
   *
   * @param {number} [code]  without one: it is closed already
   */
  close(code) {
    this.#socket.onopen = null;
    this.#socket.onmessage = null;
    this.#socket.onclose = null;
    if (code !== undefined) this.#socket.close(code);
  }
}
