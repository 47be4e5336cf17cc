// A person's name as the list, the cards and the tips show it.

import { element } from './presence-avatar.js';

/** @typedef {import('./presence-people.js').Person} Person */
/** @typedef {import('./presence-people.js').Shown} Shown */

/**
 * A name as it is shown: it may run in another direction than the page.
 *
 * @param {Person} user
 * @param {Shown} shown
 * @returns {HTMLElement[]}
 */
export function nameOf(user, { selfId, words }) {
  const name = [element('bdi', '', user.display_name)];
  if (user.user_id === selfId) name.push(element('small', '', ` ${words.say('you')}`));
  return name;
}
