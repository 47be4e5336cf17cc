// Somebody asks everybody to come: an offer, which one takes or not.

import { element, set, setText } from './presence-avatar.js';
import { presenceOf, safeColor } from './presence-people.js';

/** @typedef {import('./presence-company.js').Place} Place */
/** @typedef {import('./presence-replica.js').User} User */

/** Shows one offer at a time. */
export class Offers {
  #root;
  #place;
  #take;
  #box = element('div', 'offer', '');
  #text = element('span', '', '');
  #accept = /** @type {HTMLButtonElement} */ (element('button', 'main', ''));
  #decline = /** @type {HTMLButtonElement} */ (element('button', '', ''));
  /** Who asks. */
  #userId = '';
  /** The calls that were answered, by who made them. @type {Map<string, unknown>} */
  #answered = new Map();

  /**
   * @param {HTMLElement} root
   * @param {Place} place
   * @param {(userId: string) => void} take
   */
  constructor(root, place, take) {
    this.#root = root;
    this.#place = place;
    this.#take = take;
    set(this.#box, { part: 'offer', role: 'status', 'data-testid': 'presence-offer' });
    for (const button of [this.#accept, this.#decline]) set(button, { type: 'button' });
    this.#box.append(this.#text, this.#accept, this.#decline);
    this.#accept.addEventListener('click', () => {
      const userId = this.#userId;
      this.#answer();
      this.#take(userId);
    });
    this.#decline.addEventListener('click', () => this.#answer());
  }

  /** @param {string | null} following  who leads already */
  update(following) {
    const { client, host: { words } } = this.#place;
    const caller = client.state === 'joined' ? [...client.users.values()].find((user) => this.#calls(user, following)) : null;
    if (!caller) return this.end();
    this.#userId = caller.user_id;
    this.#box.style.setProperty('--color', safeColor(caller.color));
    setText(this.#text, words.say('summons', { name: caller.display_name }));
    setText(this.#accept, words.say('accept'));
    setText(this.#decline, words.say('decline'));
    set(this.#box, { lang: words.lang, dir: 'auto' });
    if (!this.#box.isConnected) this.#root.append(this.#box);
  }

  end() {
    this.#box.remove();
  }

  /**
   * @param {User} user
   * @param {string | null} following
   */
  #calls(user, following) {
    const { summon, viewport } = presenceOf(user);
    const { space } = /** @type {{space?: unknown}} */ (viewport ?? {});
    const { client, name } = this.#place;
    return (
      summon !== undefined && space === name && user.connected && user.user_id !== client.userId &&
      user.user_id !== following && this.#answered.get(user.user_id) !== summon
    );
  }

  #answer() {
    const user = this.#place.client.users.get(this.#userId);
    if (user) this.#answered.set(user.user_id, presenceOf(user).summon);
    this.end();
  }
}
