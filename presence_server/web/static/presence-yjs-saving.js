// Which changes of a document are durable. The server tells the number of messages of this
// connection that are (`document:stored`), so a change counts with the message that carried it.

import { commonVector } from './presence-yjs-wire.js';

const NOTHING = new Uint8Array([0]);

/** Counts the messages with changes of each connection. */
export class Saving {
  /** Messages of this connection with changes. */
  #sent = 0;
  #stored = 0;
  /** Whether there are changes that this connection has not carried. */
  #owes = false;
  /** Whether changes went over a lost connection, and nobody said that they are durable. */
  #isDoubtful = false;
  /** The document when everything was durable last. @type {Uint8Array | null} */
  #durable = null;

  /** Whether every change of this client is durable. */
  get saved() {
    return !this.#owes && this.#stored >= this.#sent;
  }

  /** Whether changes wait until the server asks for them. */
  get owes() {
    return this.#owes;
  }

  /** A new connection. */
  opened() {
    this.#isDoubtful ||= this.#sent > this.#stored;
    this.#owes ||= this.#isDoubtful;
    this.#sent = 0;
    this.#stored = 0;
  }

  /** A change was sent. */
  sent() {
    this.#sent += 1;
  }

  /** A change could not be sent, or may not. */
  missed() {
    this.#owes = true;
  }

  /** The server dropped what it was sent last. */
  denied() {
    this.#sent = this.#stored;
    this.#owes = true;
  }

  /**
   * The server asks for what it lacks. What it has may not be durable yet; it counts that for this connection
   * if it gets it once more.
   *
   * @param {Uint8Array} vector  what the server has
   * @returns {Uint8Array} the vector to answer, which may be lower
   */
  since(vector) {
    return this.#isDoubtful ? commonVector(vector, this.#durable ?? NOTHING) : vector;
  }

  /**
   * All that the server lacks was sent.
   *
   * @param {boolean} isEmpty  it lacks nothing
   */
  answered(isEmpty) {
    if (!isEmpty) this.#sent = Math.max(this.#sent, this.#stored) + 1;
    this.#owes = false;
    this.#isDoubtful = false;
  }

  /** @param {number} messages  of this connection are durable */
  stored(messages) {
    this.#stored = messages;
  }

  /** @param {Uint8Array} vector  the document, all of which is durable */
  settled(vector) {
    this.#durable = vector;
  }
}
