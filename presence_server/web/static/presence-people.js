// How a person is shown: initials, colours that can be read, words for a status.
// Names and addresses come from other people, so a name is only used as text, and
// an address only as the source of an image, after a check.

/** @typedef {import('./presence-replica.js').User} User */

const DARK_TEXT = '#000000';
const LIGHT_TEXT = '#ffffff';

/** @type {Record<string, string>} */
const STATUS_WORDS = { online: 'Online', idle: 'Idle', away: 'Away' };

/** Letters of these scripts would join to a word. */
const JOINS = /[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Nko}\p{Script=Mongolian}]/u;

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/**
 * @param {User} user
 * @returns {string} one word, or so
 */
export function statusWord(user) {
  return user.connected ? (STATUS_WORDS[user.status] ?? user.status) : 'Reconnecting';
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
 * @param {unknown} url
 * @returns {string | null} an absolute http(s) address, or null
 */
export function safeImageUrl(url) {
  if (typeof url !== 'string' || !URL.canParse(url)) return null;
  const { protocol, href } = new URL(url);
  return protocol === 'https:' || protocol === 'http:' ? href : null;
}

/**
 * Order people: oneself first, then by the time of joining.
 *
 * @param {Iterable<User>} users
 * @param {string | null} selfId
 * @returns {User[]}
 */
export function inOrder(users, selfId) {
  return [...users].sort(
    (a, b) =>
      Number(b.user_id === selfId) - Number(a.user_id === selfId) ||
      a.joined_at - b.joined_at ||
      (a.user_id < b.user_id ? -1 : 1),
  );
}

/**
 * Say in words that people joined and left.
 *
 * @param {string[]} joined  names
 * @param {string[]} left  names
 * @param {boolean} [brief]  how many, and no names
 * @returns {string} empty when nothing happened
 */
export function announcement(joined, left, brief = false) {
  return [say(joined, 'joined', brief), say(left, 'left', brief)].filter(Boolean).join('. ');
}

/**
 * @param {string[]} names
 * @param {string} verb
 * @param {boolean} brief
 */
function say(names, verb, brief) {
  if (names.length === 0) return '';
  if (brief && names.length === 1) return `1 person ${verb}`;
  if (brief || names.length > 2) return `${names.length} people ${verb}`;
  return `${names.join(' and ')} ${verb}`;
}
