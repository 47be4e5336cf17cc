// A person as the bar, its list and its cards show them: face, colour, dot, name.

import { edgeOf, initials, mayShow, safeColor, safeImageUrl, textOn } from './presence-people.js';

/** @typedef {import('./presence-people.js').Person} Person */
/** @typedef {import('./presence-people.js').Shown} Shown */

/**
 * Make an element for a person's face and status dot, which {@link paint} draws.
 *
 * @param {'button' | 'span'} tag
 * @returns {HTMLElement}
 */
export function avatarOf(tag) {
  const avatar = element(tag, 'avatar', '');
  set(avatar, { part: 'avatar' });
  const dot = element('span', 'dot', '');
  set(dot, { part: 'dot' });
  avatar.append(element('span', 'face', ''), dot);
  return avatar;
}

/**
 * Bring a person's avatar, and the attributes of the item that it is in, up to date.
 *
 * @param {HTMLElement} item
 * @param {HTMLElement} avatar
 * @param {Person} user
 * @param {Shown} shown
 */
export function paint(item, avatar, user, { badges, avatars }) {
  badges?.drawBadge(avatar, user);
  set(item, { 'data-status': user.status, 'data-connected': String(user.connected) });
  item.toggleAttribute('data-gone', Boolean(user.gone));
  const url = safeImageUrl(user.avatar_url);
  const shownUrl = url !== null && mayShow(url, avatars) ? url : null;
  const look = JSON.stringify([user.display_name, shownUrl, user.color]);
  if (avatar.dataset.look === look) return;
  avatar.dataset.look = look;
  const color = safeColor(user.color);
  set(avatar, { 'data-edge': edgeOf(color) });
  avatar.style.setProperty('--color', color);
  avatar.style.setProperty('--on-color', textOn(color));
  const face = /** @type {HTMLElement} */ (avatar.firstElementChild);
  // A picture of the name, drawn by the style sheet: people who steer by voice say the name.
  face.dataset.initials = initials(user.display_name);
  face.replaceChildren();
  if (shownUrl === null) return;
  const image = new Image();
  image.alt = '';
  image.decoding = 'async';
  image.loading = 'lazy';
  image.referrerPolicy = 'no-referrer';
  // The initials show until the image is there; if it never comes, they stay. A browser loads a
  // lazy image only where it has a place on the page.
  image.className = 'loading';
  image.addEventListener('load', () => {
    if (avatar.dataset.look !== look) return;
    image.className = '';
    delete face.dataset.initials;
  });
  image.addEventListener('error', () => image.remove());
  image.src = shownUrl;
  face.append(image);
}

/**
 * Have these elements in this order in a box, and move few of them.
 *
 * @param {Element} box
 * @param {Element[]} items
 */
export function place(box, items) {
  items.forEach((item, index) => {
    const there = box.children[index];
    if (there === item) return;
    // One that goes further back moves itself, and not all the others past it.
    if (there && there.nextElementSibling === item) box.append(there);
    else box.insertBefore(item, there ?? null);
  });
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
 * Make a part of an icon.
 *
 * @param {string} tag
 * @param {Record<string, string>} attributes
 */
export function svgElement(tag, attributes) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
