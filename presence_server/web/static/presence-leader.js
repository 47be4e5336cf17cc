// Being followed: the others see how one's own view moves, and one sees how many they are. It
// also asks everybody to come, for a while.

import { element, set, setText } from './presence-avatar.js';
import { presenceOf } from './presence-people.js';
import { tell } from './presence-tell.js';

/** @typedef {import('./presence-company.js').Place} Place */

/** The shortest time between two views that are sent. */
const SEND_AFTER_MS = 100;
/** How long everybody is asked to come. */
const SUMMON_MS = 20_000;

/** Shows the others where this user looks, as long as somebody wants to know. */
export class Leader {
  summoning = false;
  #root;
  #place;
  #viewport;
  #changed;
  #chip = element('div', 'chip', '');
  #text = element('span', '', '');
  #cancel = /** @type {HTMLButtonElement} */ (element('button', '', '×'));
  /** @type {AbortController | null} */
  #listening = null;
  #sending = 0;
  #summonEnds = 0;

  /**
   * @param {HTMLElement} root
   * @param {Place} place
   * @param {import('./presence-viewport.js').Viewport} viewport
   * @param {() => void} changed
   */
  constructor(root, place, viewport, changed) {
    this.#root = root;
    this.#place = place;
    this.#viewport = viewport;
    this.#changed = changed;
    set(this.#chip, { part: 'chip', role: 'status', 'data-testid': 'presence-followers' });
    set(this.#cancel, { type: 'button' });
    this.#chip.append(this.#text, this.#cancel);
    this.#cancel.addEventListener('click', () => this.summon(false));
  }

  /** @param {boolean} on */
  summon(on) {
    clearTimeout(this.#summonEnds);
    const { client } = this.#place;
    if (on && client.state !== 'joined') return;
    if (on) this.#summonEnds = window.setTimeout(() => this.summon(false), SUMMON_MS);
    // Another number is another call: those who declined the last one are asked again.
    if (!tell(client, { summon: on ? Math.round(client.serverTime) : undefined })) return;
    if (on === this.summoning) return;
    this.summoning = on;
    this.update();
    this.#changed();
  }

  /** Somebody has changed. */
  update() {
    const { client, host: { words } } = this.#place;
    if (client.state !== 'joined') return this.end();
    let count = 0;
    for (const user of client.users.values()) {
      if (user.user_id !== client.userId && presenceOf(user).following === client.userId) count += 1;
    }
    if (count === 0 && !this.summoning) return this.#rest();
    this.#lead();
    const texts = [];
    if (this.summoning) texts.push(words.say('summoning'));
    if (count > 0) texts.push(words.say('followers', { count }));
    setText(this.#text, texts.join(' · '));
    set(this.#chip, { lang: words.lang, dir: 'auto' });
    set(this.#cancel, { 'aria-label': words.say('stopSummoning') });
    this.#cancel.hidden = !this.summoning;
    if (!this.#chip.isConnected) this.#root.append(this.#chip);
  }

  end() {
    if (this.summoning) this.summon(false);
    this.#rest();
  }

  /** Send the view whenever it moves. */
  #lead() {
    if (this.#listening) return;
    this.#listening = new AbortController();
    const options = { signal: this.#listening.signal, passive: true };
    this.#viewport.source.addEventListener('scroll', () => this.#soon(), options);
    window.addEventListener('resize', () => this.#soon(), options);
    this.#send();
  }

  #rest() {
    if (!this.#listening) return;
    this.#listening.abort();
    this.#listening = null;
    clearTimeout(this.#sending);
    this.#sending = 0;
    this.#chip.remove();
    tell(this.#place.client, { viewport: undefined });
  }

  #soon() {
    this.#sending ||= window.setTimeout(() => this.#send(), SEND_AFTER_MS);
  }

  #send() {
    this.#sending = 0;
    const [x, y] = this.#viewport.middle;
    tell(this.#place.client, { viewport: { space: this.#place.name, x, y } });
  }
}
