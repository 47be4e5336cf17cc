// How a person is shown: initials, colours that can be read, words for a status.
// Names and addresses come from other people, so a name is only used as text, and
// an address only as the source of an image, after a check.

/** @typedef {import('./presence-replica.js').User} User */

const DARK_TEXT = '#000000';
const LIGHT_TEXT = '#ffffff';

/** @type {Record<string, string>} */
const STATUS_WORDS = { online: 'Online', idle: 'Idle', away: 'Away' };

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
 * @returns {string} one or two letters
 */
export function initials(name) {
  const words = name.split(/[\s._\-]+/u).filter((word) => /[\p{L}\p{N}\p{Extended_Pictographic}]/u.test(word));
  if (words.length === 0) return firstGrapheme(name.trim()) || '?';
  const picked = words.length === 1 ? [words[0]] : [words[0], words[words.length - 1]];
  return picked.map((word) => firstGrapheme(word.replace(/^[^\p{L}\p{N}\p{Extended_Pictographic}]+/u, '')).toLocaleUpperCase()).join('');
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
 * @returns {string} empty when nothing happened
 */
export function announcement(joined, left) {
  return [say(joined, 'joined'), say(left, 'left')].filter(Boolean).join('. ');
}

/**
 * @param {string[]} names
 * @param {string} verb
 */
function say(names, verb) {
  if (names.length === 0) return '';
  if (names.length > 2) return `${names.length} people ${verb}`;
  return `${names.join(' and ')} ${verb}`;
}
