// What the elements say, in the language that the page chooses.

/**
 * A text, with `{name}` where a value is put in; or one for each plural form of `{count}`,
 * by the names that `Intl.PluralRules` has for them, and always `other`.
 *
 * @typedef {string | ({other: string} & Partial<Record<Intl.LDMLPluralRule, string>>)} Phrase
 */

/**
 * Phrases by their names, those of {@link ENGLISH} and of the modules that are loaded later;
 * `lang` is the language that they are in. What is missing stays English.
 *
 * @typedef {Record<string, Phrase>} Strings
 */

/** @type {Strings} */
export const ENGLISH = {
  lang: 'en',
  people: 'People on this board',
  watching: 'People on this board, while you wait for a seat',
  you: '(you)',
  person: '{name}, {status}',
  online: 'Online',
  idle: 'Idle',
  away: 'Away',
  reconnecting: 'Reconnecting',
  back: 'Connected again',
  queued: 'Waiting for a seat',
  full: 'The board is full',
  closed: 'Not connected',
  more: {
    one: '+{hidden} more, show all {count} person on this board',
    other: '+{hidden} more, show all {count} people on this board',
  },
  all: { one: '{count} person on this board, show all', other: '{count} people on this board, show all' },
  joinedNames: '{names} joined',
  joined: { one: '{count} person joined', other: '{count} people joined' },
  leftNames: '{names} left',
  left: { one: '{count} person left', other: '{count} people left' },
};

/** Phrases in one language. */
export class Words {
  #strings;
  #plural;
  #number;
  /** The language of the phrases. */
  lang;
  /** The same, of the region that the browser prefers: for numbers and times. */
  locale;

  /**
   * @param {Strings | null} strings  null: English
   * @throws {RangeError} `lang` is no language tag
   */
  constructor(strings) {
    this.#strings = strings ?? ENGLISH;
    this.lang = String(this.#strings.lang ?? ENGLISH.lang);
    this.#plural = new Intl.PluralRules(this.lang);
    const wanted = globalThis.navigator?.languages ?? [];
    this.locale = wanted.find((each) => each.startsWith(`${this.lang}-`)) ?? this.lang;
    this.#number = new Intl.NumberFormat(this.locale);
  }

  /**
   * Add the English phrases of a module that is loaded later.
   *
   * @param {Strings} more
   */
  static learn(more) {
    Object.assign(ENGLISH, more);
  }

  /**
   * @param {string} name  of the phrase
   * @param {Record<string, string | number>} [values]
   * @returns {string}
   */
  say(name, values = {}) {
    const phrase = this.#strings[name] ?? ENGLISH[name] ?? '';
    const text = typeof phrase === 'string' ? phrase : (phrase[this.#plural.select(Number(values.count))] ?? phrase.other);
    return text.replace(/\{(\w+)\}/g, (_, key) => {
      const value = values[key] ?? '';
      return typeof value === 'number' ? this.number(value) : value;
    });
  }

  /** @param {number} value  @returns {string} */
  number(value) {
    return this.#number.format(value);
  }

  /**
   * @param {import('./presence-people.js').Person} user
   * @returns {string} one word, or so
   */
  status(user) {
    return user.gone ?? this.say(user.connected ? user.status : 'reconnecting');
  }

  /** @param {string[]} items  @returns {string} one after the other */
  list(items) {
    return new Intl.ListFormat(this.lang, { type: 'unit', style: 'short' }).format(items);
  }

  /**
   * @param {import('./presence-people.js').Person} user
   * @param {string | null} selfId
   * @returns {string} as a screen reader says it
   */
  name(user, selfId) {
    return user.user_id === selfId ? `${user.display_name} ${this.say('you')}` : user.display_name;
  }

  /**
   * Say that people joined and left.
   *
   * @param {string[]} joined  names
   * @param {string[]} left  names
   * @param {boolean} [brief]  how many, and no names
   * @returns {string} empty when nothing happened
   */
  news(joined, left, brief = false) {
    return [this.#about('joined', joined, brief), this.#about('left', left, brief)].filter(Boolean).join('. ');
  }

  /**
   * @param {string} verb
   * @param {string[]} names
   * @param {boolean} brief
   */
  #about(verb, names, brief) {
    const count = names.length;
    if (count === 0) return '';
    if (brief || count > 2) return this.say(verb, { count });
    return this.say(`${verb}Names`, { count, names: new Intl.ListFormat(this.lang).format(names) });
  }
}
