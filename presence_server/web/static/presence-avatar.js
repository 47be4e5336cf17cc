// A person as the bar and its list show them: face, colour, dot, words.

import { edgeOf, initials, safeColor, safeImageUrl, textOn } from './presence-people.js';

/** @typedef {import('./presence-replica.js').User} User */

/**
 * Bring a person's item up to date: `.name` has the name, `.avatar` the face.
 *
 * @param {HTMLLIElement} item
 * @param {User} user
 * @param {boolean} isSelf
 */
export function describe(item, user, isSelf) {
  set(item, { 'data-status': user.status, 'data-connected': String(user.connected) });
  const name = /** @type {HTMLElement} */ (item.querySelector('.name'));
  const look = lookOf(user);
  if (name.dataset.name !== user.display_name || name.dataset.self !== String(isSelf)) {
    set(name, { 'data-name': user.display_name, 'data-self': String(isSelf) });
    name.replaceChildren(...nameOf(user, isSelf));
  }
  const avatar = /** @type {HTMLElement} */ (item.querySelector('.avatar'));
  if (avatar.dataset.look !== look) avatar.replaceWith(avatarOf(user));
}

/**
 * A name as it is shown: it may run in another direction than the page.
 *
 * @param {User} user
 * @param {boolean} isSelf
 * @returns {HTMLElement[]}
 */
export function nameOf(user, isSelf) {
  const name = [element('bdi', '', user.display_name)];
  if (isSelf) name.push(element('small', '', ' (you)'));
  return name;
}

/** @param {User} user  @returns {string} changes when the avatar has to be drawn anew */
function lookOf(user) {
  return JSON.stringify([user.display_name, user.avatar_url, user.color]);
}

/**
 * Draw a user's face and status dot.
 *
 * @param {User} user
 * @returns {HTMLElement}
 */
export function avatarOf(user) {
  const avatar = element('div', 'avatar', '');
  const color = safeColor(user.color);
  set(avatar, { part: 'avatar', 'aria-hidden': 'true', 'data-edge': edgeOf(color) });
  avatar.dataset.look = lookOf(user);
  avatar.style.setProperty('--color', color);
  avatar.style.setProperty('--on-color', textOn(color));
  const face = element('div', 'face', initials(user.display_name));
  const url = safeImageUrl(user.avatar_url);
  if (url !== null) {
    const image = new Image();
    image.alt = '';
    image.decoding = 'async';
    image.referrerPolicy = 'no-referrer';
    // The initials show until the image is there; if it never comes, they stay.
    image.addEventListener('load', () => face.replaceChildren(image));
    image.src = url;
  }
  const dot = element('span', 'dot', '');
  set(dot, { part: 'dot' });
  avatar.append(face, dot);
  return avatar;
}

/**
 * Make an element.
 *
 * @param {string} tag
 * @param {string} className
 * @param {string} text
 */
export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

/**
 * Set attributes; those that stay the same are not touched.
 *
 * @param {Element} target
 * @param {Record<string, string>} attributes
 */
export function set(target, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (target.getAttribute(name) !== value) target.setAttribute(name, value);
  }
}

/**
 * @param {HTMLElement} target
 * @param {string} text
 */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** Draw the icon of two people. */
export function peopleIcon() {
  const svg = svgElement('svg', { viewBox: '0 0 16 16', fill: 'currentColor', 'aria-hidden': 'true' });
  svg.append(svgElement('circle', { cx: '6', cy: '5', r: '2.6' }));
  for (const d of [
    'M1 13.2c0-2.6 2.2-4.4 5-4.4s5 1.8 5 4.4z',
    'M10.6 2.6a2.6 2.6 0 0 1 0 4.9 4.4 4.4 0 0 0 0-4.9z',
    'M11.4 9c2.1.3 3.6 1.9 3.6 4.2h-2.5c0-1.7-.4-3-1.1-4.2z',
  ]) svg.append(svgElement('path', { d }));
  return svg;
}

/**
 * @param {string} tag
 * @param {Record<string, string>} attributes
 */
function svgElement(tag, attributes) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
