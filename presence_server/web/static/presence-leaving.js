// Who waits for a leave to be over, and whether the client comes back after it.

/** The leave of a client that is under way. */
export class Leaving {
  /** @type {(() => void)[]} */
  #waiting = [];
  /** Whether to connect again afterwards. */
  comesBack = false;

  /** @returns {Promise<void>} settled when it is over */
  over() {
    this.comesBack = false;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** @returns {boolean} whether to connect again */
  settle() {
    for (const tell of this.#waiting.splice(0)) tell();
    const { comesBack } = this;
    this.comesBack = false;
    return comesBack;
  }
}
