// How a person is shown: initials, and colours that can be read.
// Names and addresses come from other people, so a name is only used as text, and
// an address only as the source of an image, after a check.

/** @typedef {import('./presence-replica.js').User} User */

/**
 * Somebody who is shown.
 *
 * @typedef {User & {gone?: string}} Person  gone: of somebody who has left, in words
 */

/** @typedef {string} Avatars  `on`, `same-origin` (of the page) or `off`; anything else is `on` */

/**
 * What is shown.
 *
 * @typedef {object} Shown
 * @property {Person[]} users  in their order
 * @property {number} count  how many of them are there
 * @property {string | null} selfId
 * @property {Avatars} avatars
 * @property {import('./presence-words.js').Words} words
 * @property {typeof import('./presence-badges.js') | null} badges  null: nobody needs one
 * @property {number} now  milliseconds since the epoch, by the server's clock
 * @property {(user: Person) => number | null} since  when the status changed, by the same clock;
 *   null: before this page looked
 */

const DARK_TEXT = '#000000';
const LIGHT_TEXT = '#ffffff';

/** Letters of these scripts would join to a word. */
const JOINS = /[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Nko}\p{Script=Mongolian}]/u;

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/**
 * What the elements of a user say to the others, which anybody can make up.
 *
 * @param {User} user
 * @returns {Record<string, unknown>}
 */
export function presenceOf(user) {
  const { presence } = /** @type {{presence?: unknown}} */ (user.metadata ?? {});
  return typeof presence === 'object' && presence !== null ? /** @type {Record<string, unknown>} */ (presence) : {};
}

/**
 * @param {User} user
 * @returns {boolean} whether there may be a badge to draw
 */
export function saysMore(user) {
  const { hand, typing, location } = presenceOf(user);
  return Boolean(hand || typing || location);
}

/**
 * @param {string} name
 * @returns {string} one or two graphemes
 */
export function initials(name) {
  const words = name.split(/[\s._\-]+/u).filter((word) => /[\p{L}\p{N}\p{Extended_Pictographic}]/u.test(word));
  if (words.length === 0) return firstGrapheme(name.trim()) || '?';
  const picked = words.length === 1 ? [words[0]] : [words[0], words[words.length - 1]];
  const letters = picked.map(initial);
  return letters.join(JOINS.test(letters[0]) ? '\u200c' : '');
}

/** @param {string} word */
function initial(word) {
  const first = firstGrapheme(word.replace(/^[^\p{L}\p{N}\p{Extended_Pictographic}]+/u, ''));
  const upper = first.toLocaleUpperCase();
  return firstGrapheme(upper) === upper ? upper : first; // two letters for one: "SS" for "ß"
}

/** @param {string} text */
function firstGrapheme(text) {
  for (const { segment } of segmenter.segment(text)) return segment;
  return '';
}

/**
 * @param {unknown} color
 * @returns {string} the colour, or a grey when it is none
 */
export function safeColor(color) {
  return typeof color === 'string' && /^#[0-9a-f]{6}$/i.test(color) ? color : '#57534e';
}

/**
 * Choose black or white text. The better of the two always has a contrast of 4.5
 * or more.
 *
 * @param {string} color  `#rrggbb`
 */
export function textOn(color) {
  const luminance = luminanceOf(safeColor(color));
  const onLight = 1.05 / (luminance + 0.05);
  const onDark = (luminance + 0.05) / (luminanceOf(DARK_TEXT) + 0.05);
  return onLight >= onDark || onLight >= 4.5 ? LIGHT_TEXT : DARK_TEXT;
}

/** The surfaces of the style sheet, which a page may replace by similar ones. */
const PALE_SURFACE = '#ffffff';
const DARK_SURFACE = '#191c22';
const LEAST_CONTRAST = 1.25;

/**
 * Whether a colour needs an outline to be seen.
 *
 * @param {string} color  `#rrggbb`
 * @returns {'pale' | 'dark' | ''} `pale`: on a light page; `dark`: on a dark one
 */
export function edgeOf(color) {
  if (contrast(color, PALE_SURFACE) < LEAST_CONTRAST) return 'pale';
  return contrast(color, DARK_SURFACE) < LEAST_CONTRAST ? 'dark' : '';
}

/**
 * @param {string} one
 * @param {string} other
 */
function contrast(one, other) {
  const [low, high] = [luminanceOf(one), luminanceOf(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

/** @param {string} color */
function luminanceOf(color) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = parseInt(color.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/**
 * Whether an image may be shown: whoever names one learns who looks at the page.
 *
 * @param {string} url
 * @param {Avatars} avatars
 */
export function mayShow(url, avatars) {
  if (avatars === 'same-origin') return new URL(url).origin === globalThis.location.origin;
  return avatars !== 'off';
}

/**
 * @param {unknown} url
 * @returns {string | null} an absolute http(s) address, or null
 */
export function safeImageUrl(url) {
  if (typeof url !== 'string' || !URL.canParse(url)) return null;
  const { protocol, href } = new URL(url);
  return protocol === 'https:' || protocol === 'http:' ? href : null;
}
