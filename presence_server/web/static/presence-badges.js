// What people say of themselves beside their status, as a badge on their avatar and in words: a
// raised hand, typing, and where on the page they are. The key `presence` of their metadata says
// it. This is loaded once somebody says any of it.

import { element, set, svgElement } from './presence-avatar.js';
import { presenceOf } from './presence-people.js';
import { Words } from './presence-words.js';

/** @typedef {import('./presence-people.js').Person} Person */

/** @type {import('./presence-words.js').Strings} */
export const BADGE_ENGLISH = { hand: 'Hand raised', typing: 'Typing' };

const MAX_LOCATION_CHARACTERS = 100;

/** Lines of icons of 16 by 16. */
const LINES = {
  hand: 'M4.6 9.2V4.4M7 8V2.8M9.4 8V3.2M11.8 9V5M4.6 9.2 3.5 8a1 1 0 0 0-1.6 1.2l2 3.1C4.8 13.7 6 14.4 8 14.4c2.4 0 3.8-1.6 3.8-4V8',
  typing: 'M4 8h.01M8 8h.01M12 8h.01',
  location: 'M8 14.2S3.4 9.9 3.4 6.7a4.6 4.6 0 0 1 9.2 0c0 3.2-4.6 7.5-4.6 7.5zM8 6.7h.01',
};

export const PRESENCE_BADGES_CSS = /* css */ `
.badge {
  position: absolute;
  inset-block-start: -6px;
  inset-inline-end: -6px;
  display: grid;
  place-items: center;
  width: max(14px, calc(var(--_size) * 0.5));
  height: max(14px, calc(var(--_size) * 0.5));
  border: 2px solid var(--_surface);
  border-radius: 50%;
  background: var(--presence-badge, #4338ca);
  color: var(--presence-on-badge, #ffffff);
}
.badge svg { width: 82%; height: 82%; fill: none; stroke: currentColor; stroke-width: 1.9; stroke-linecap: round; stroke-linejoin: round; }
.badge[data-badge='typing'] svg { stroke-width: 3; }
.badge[data-badge='typing'] svg { animation: types 1.2s ease-in-out infinite alternate; }
@keyframes types { from { opacity: 0.5; } }
@media (prefers-reduced-motion: reduce) { .badge svg { animation: none !important; } }
@media (forced-colors: active) { .badge { forced-color-adjust: none; } }
`;

Words.learn(BADGE_ENGLISH);

/**
 * What a person says; anybody can make it up.
 *
 * @param {Person} user
 * @returns {{hand: boolean, typing: boolean, location: string}}
 */
function saidBy(user) {
  const { hand, typing, location } = presenceOf(user);
  return {
    hand: Boolean(hand) && !user.gone,
    // A page that is gone cannot say that its user types no longer.
    typing: Boolean(typing) && user.connected && user.status === 'online',
    location: typeof location === 'string' ? location.trim().slice(0, MAX_LOCATION_CHARACTERS) : '',
  };
}

/**
 * @param {Person} user
 * @returns {string} where on the page they are; empty: they do not say
 */
export function locationOf(user) {
  return saidBy(user).location;
}

/**
 * @param {Person} user
 * @param {Words} words
 * @returns {string[]}
 */
export function factsOf(user, words) {
  const { hand, typing, location } = saidBy(user);
  return [hand ? words.say('hand') : '', typing ? words.say('typing') : '', location].filter(Boolean);
}

/**
 * Draw the badge of a person: of several the most urgent one.
 *
 * @param {HTMLElement} avatar
 * @param {Person} user
 */
export function drawBadge(avatar, user) {
  const { hand, typing, location } = saidBy(user);
  const name = hand ? 'hand' : typing ? 'typing' : location ? 'location' : '';
  const old = /** @type {HTMLElement | null} */ (avatar.querySelector('.badge'));
  if ((old?.dataset.badge ?? '') === name) return;
  old?.remove();
  if (!name) return;
  const badge = element('span', 'badge', '');
  const svg = svgElement('svg', { viewBox: '0 0 16 16', 'aria-hidden': 'true' });
  svg.append(svgElement('path', { d: LINES[name] }));
  set(badge, { part: 'badge', 'data-badge': name });
  badge.append(svg);
  avatar.append(badge);
}
