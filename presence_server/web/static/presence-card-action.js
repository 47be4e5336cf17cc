// What a card offers where people can be followed: to see what its person sees, and on one's own
// card, to ask everybody to come.

import { element, set, setText } from './presence-avatar.js';

/** @typedef {import('./presence-guide.js').Guide} Guide */
/** @typedef {import('./presence-people.js').Person} Person */
/** @typedef {import('./presence-people.js').Shown} Shown */

/** A button that is there if the page has an element that can follow people. */
export class CardAction {
  button = /** @type {HTMLButtonElement} */ (element('button', 'action', ''));
  #guide;
  #act = () => {};

  /**
   * @param {() => Guide | null} guide
   * @param {() => void} done
   */
  constructor(guide, done) {
    this.#guide = guide;
    set(this.button, { part: 'action', type: 'button', 'data-testid': 'presence-action' });
    this.button.addEventListener('click', () => {
      this.#act();
      done();
    });
  }

  /**
   * @param {Person} user  whose card it is
   * @param {Shown} shown
   */
  draw(user, { selfId, words }) {
    const guide = user.gone ? null : this.#guide();
    this.button.hidden = guide === null;
    if (guide === null) return;
    const isOn = user.user_id === selfId ? guide.summoning : guide.following === user.user_id;
    if (user.user_id === selfId) {
      setText(this.button, words.say(isOn ? 'stopSummoning' : 'summon'));
      this.#act = () => guide.summon(!isOn);
    } else {
      setText(this.button, words.say(isOn ? 'stopFollowing' : 'follow'));
      this.#act = () => guide.follow(isOn ? null : user.user_id);
    }
  }
}
