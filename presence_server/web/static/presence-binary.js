// Binary frames, which are Yjs. A server without it takes each for a bad message, and
// closes after 20 of them. One with it answers somebody who waits for a seat only if
// that one may watch.

/** Fewer than what makes a server close. */
const UNANSWERED = 8;

/** Whether a server answers binary frames. */
export class BinaryPlane {
  #unanswered = 0;

  /** @param {string} state  the client's */
  maySend(state) {
    return (state === 'joined' || state === 'queued') && this.#unanswered < UNANSWERED;
  }

  /** @param {string} state  the client's: in the queue there may be no answer */
  sent(state) {
    if (state === 'joined') this.#unanswered += 1;
  }

  answered() {
    this.#unanswered = -Infinity;
  }
}

/**
 * Whether a message changes the document, which the server takes for an activity.
 *
 * @param {ArrayBuffer | Uint8Array} data
 */
export function isChange(data) {
  const [type, step] = new Uint8Array(data);
  return type === 0 && step === 2;
}
