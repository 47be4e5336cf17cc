// The messages of y-protocols, as far as a provider needs them (specification, section 9):
// numbers and lengths are those of lib0.

export const STEP_1 = 'step 1';
export const STEP_2 = 'step 2';
export const UPDATE = 'update';
export const AWARENESS = 'awareness';
export const DENIED = 'denied';
export const QUERY = 'query';
export const UNKNOWN = 'unknown';

const SYNC_KINDS = [STEP_1, STEP_2, UPDATE];

/**
 * @typedef {object} Message
 * @property {string} kind
 * @property {Uint8Array} payload  a state vector, an update, awareness entries, or a reason in UTF-8
 */

/** Reads numbers and strings of bytes from a message. */
export class Reader {
  #bytes;
  #at = 0;

  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.#bytes = bytes;
  }

  /**
   * @returns {number}
   * @throws {RangeError} the message ends in the middle of it, or it is over 53 bits
   */
  number() {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new RangeError('the message is too short');
      value += (byte & 127) * factor;
      if (value > Number.MAX_SAFE_INTEGER) throw new RangeError('the number is too large');
      if (byte < 128) return value;
    }
  }

  /**
   * @returns {Uint8Array}
   * @throws {RangeError} there are fewer than it says
   */
  bytes() {
    const length = this.number();
    const part = this.#bytes.subarray(this.#at, this.#at + length);
    if (part.length < length) throw new RangeError('the message is too short');
    this.#at += length;
    return part;
  }

  /** @returns {string} */
  text() {
    return new TextDecoder().decode(this.bytes());
  }
}

/** Gathers the bytes of a message. */
export class Writer {
  /** @type {Uint8Array[]} */
  #parts = [];

  /** @param {...number} values */
  numbers(...values) {
    for (let value of values) {
      const bytes = [];
      for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
      this.#parts.push(new Uint8Array([...bytes, value]));
    }
    return this;
  }

  /** @param {Uint8Array} bytes */
  bytes(bytes) {
    this.numbers(bytes.length);
    this.#parts.push(bytes);
    return this;
  }

  /** @param {string} text */
  text(text) {
    return this.bytes(new TextEncoder().encode(text));
  }

  /** @returns {Uint8Array} */
  done() {
    const whole = new Uint8Array(this.#parts.reduce((length, part) => length + part.length, 0));
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}

/**
 * @param {ArrayBuffer} data
 * @returns {Message}
 * @throws {RangeError} it is damaged
 */
export function readMessage(data) {
  const reader = new Reader(new Uint8Array(data));
  switch (reader.number()) {
    case 0: {
      const kind = SYNC_KINDS[reader.number()] ?? UNKNOWN;
      return { kind, payload: reader.bytes() };
    }
    case 1:
      return { kind: AWARENESS, payload: reader.bytes() };
    case 2: {
      const kind = reader.number() === 0 ? DENIED : UNKNOWN;
      return { kind, payload: reader.bytes() };
    }
    case 3:
      return { kind: QUERY, payload: new Uint8Array() };
    default:
      return { kind: UNKNOWN, payload: new Uint8Array() };
  }
}

/** @param {string} kind  @param {Uint8Array} payload  a vector or an update */
export function syncMessage(kind, payload) {
  return new Writer().numbers(0, SYNC_KINDS.indexOf(kind)).bytes(payload).done();
}

/** @param {Uint8Array} entries */
export function awarenessMessage(entries) {
  return new Writer().numbers(1).bytes(entries).done();
}

/** Whether an update changes nothing, whatever the document is. @param {Uint8Array} update */
export function isEmpty(update) {
  return update.length === 2 && update[0] === 0 && update[1] === 0;
}

/**
 * The part of a document that two state vectors have in common.
 *
 * @param {Uint8Array} one
 * @param {Uint8Array} other
 */
export function commonVector(one, other) {
  const left = readVector(one);
  /** @type {[number, number][]} */
  const common = [];
  for (const [client, clock] of readVector(other)) {
    const least = Math.min(clock, left.get(client) ?? 0);
    if (least > 0) common.push([client, least]);
  }
  return new Writer().numbers(common.length, ...common.flat()).done();
}

/** @param {Uint8Array} vector  @returns {Map<number, number>} */
function readVector(vector) {
  const reader = new Reader(vector);
  /** @type {Map<number, number>} */
  const clocks = new Map();
  for (let count = reader.number(); count > 0; count -= 1) clocks.set(reader.number(), reader.number());
  return clocks;
}
