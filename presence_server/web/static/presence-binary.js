// Binary frames, which are Yjs. A server without it takes each for a bad message, and
// closes after 20 of them.

/** Fewer than what makes a server close. */
const UNANSWERED = 8;

/** Whether a server answers binary frames. */
export class BinaryPlane {
  #unanswered = 0;

  get maySend() {
    return this.#unanswered < UNANSWERED;
  }

  sent() {
    this.#unanswered += 1;
  }

  answered() {
    this.#unanswered = -Infinity;
  }
}
