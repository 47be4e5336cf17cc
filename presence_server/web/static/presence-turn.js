// Tells somebody who waits with the page in the background that it is their turn:
// by the title and the icon of the page, and if wanted by a sound or a notification.

/** @typedef {'title' | 'favicon' | 'sound' | 'notification'} Way */

const ICON = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><circle cx='8' cy='8' r='7' fill='%2316a34a'/><path d='M4.5 8.2l2.4 2.4 4.6-5' fill='none' stroke='white' stroke-width='2'/></svg>";
const SOUND_S = 0.5;

/** Changes the page while its user waits, and gives everything back. */
export class Turn {
  #ways;
  #say;
  /** @type {string | null} */
  #title = null;
  /** What this class has written, to see whether the page has another title since. */
  #written = '';
  /** @type {{link: HTMLLinkElement, href: string | null} | null} */
  #icon = null;
  /** @type {AbortController | null} */
  #listening = null;

  /**
   * @param {() => Set<string>} ways  in which to tell, as {@link Way}
   * @param {(phrase: string, values?: Record<string, number>) => string} say
   */
  constructor(ways, say) {
    this.#ways = ways;
    this.#say = say;
  }

  /** @param {number} position  in the queue */
  waits(position) {
    this.#restore();
    if (this.#ways().has('title')) this.#write(this.#say('titleWaits', { position }));
  }

  /** It is the user's turn; a page that is seen shows that by itself. */
  comes() {
    this.#restore();
    if (document.visibilityState === 'visible') return;
    const ways = this.#ways();
    if (ways.has('title')) this.#write(this.#say('titleTurn'));
    if (ways.has('favicon')) this.#showIcon();
    if (ways.has('sound')) this.#play();
    if (ways.has('notification')) this.#notify();
    this.#listening = new AbortController();
    document.addEventListener('visibilitychange', () => this.#restore(), { signal: this.#listening.signal });
  }

  /** The user waits no longer. */
  ends() {
    this.#restore();
  }

  /** @param {string} text */
  #write(text) {
    this.#title = document.title;
    this.#written = this.#title ? `${text} · ${this.#title}` : text;
    document.title = this.#written;
  }

  #showIcon() {
    let link = /** @type {HTMLLinkElement | null} */ (document.querySelector('link[rel~="icon"]'));
    const href = link?.getAttribute('href') ?? null;
    if (!link) {
      link = document.createElement('link');
      link.rel = 'icon';
      document.head.append(link);
    }
    link.href = ICON;
    this.#icon = { link, href };
  }

  /** Browsers play it only on pages that were clicked on. */
  #play() {
    const context = new AudioContext();
    const tone = context.createOscillator();
    const volume = context.createGain();
    tone.frequency.value = 660;
    volume.gain.setValueAtTime(0.15, context.currentTime);
    volume.gain.exponentialRampToValueAtTime(0.001, context.currentTime + SOUND_S);
    tone.connect(volume).connect(context.destination);
    tone.onended = () => context.close();
    tone.start();
    tone.stop(context.currentTime + SOUND_S);
  }

  #notify() {
    if (globalThis.Notification?.permission !== 'granted') return;
    try {
      const notification = new Notification(this.#say('turn'), { body: this.#title ?? document.title, tag: 'presence-turn' });
      notification.onclick = () => window.focus();
    } catch {
      // Some phones show notifications of service workers only.
    }
  }

  #restore() {
    this.#listening?.abort();
    this.#listening = null;
    if (this.#title !== null && document.title === this.#written) document.title = this.#title;
    this.#title = null;
    if (this.#icon?.href) this.#icon.link.setAttribute('href', this.#icon.href);
    else this.#icon?.link.remove();
    this.#icon = null;
  }
}
