// The types of the client's options and of what it reports; there is no code here.

/** @typedef {import('./presence-address.js').Profile} Profile */
/** @typedef {import('./presence-environment.js').Environment} Environment */

/**
 * @typedef {'new' | 'connecting' | 'queued' | 'joined' | 'reconnecting' | 'full' | 'closed'} State
 */

/**
 * The detail of a `state` event, and {@link PresenceClient.status}.
 *
 * @typedef {object} Status
 * @property {State} state
 * @property {number} [position]  queued: 1 is next
 * @property {number} [queueLength]  queued
 * @property {number} [capacity]  queued, joined
 * @property {number} [etaS]  queued: about how many seconds it takes, by the pace of the last
 *   admissions; undefined while that is not known
 * @property {boolean} [watching]  queued: the server shows this client the board meanwhile
 * @property {boolean} [resumed]  joined: nobody saw this session leave
 * @property {boolean} [offline]  true from the time when the browser says that there is no network until
 *   the server is heard again; the socket is kept and tried
 * @property {number} [retryAt]  reconnecting, full: milliseconds since the epoch, by the clock of
 *   this machine
 * @property {number} [retryInMs]  reconnecting, full: the same from the time of the event, which a
 *   clock that is set does not change
 * @property {number} [code]  reconnecting, full, closed: the close code
 * @property {string} [reason]  closed: for a developer, in English
 */

/**
 * The fields of {@link Profile} say who the user is, on servers with `auth.mode =
 * none`; without a `user_id` the user is a guest.
 *
 * @typedef {Profile & ConnectOptions} Options
 */

/**
 * @typedef {object} ConnectOptions
 * @property {string} board
 * @property {string} [server]  http(s) or ws(s) address; default: the server that
 *   this module came from
 * @property {string} [token]  a JWT (`auth.mode = jwt`)
 * @property {() => string | Promise<string>} [getToken]  called before each
 *   connection and before the token expires
 * @property {number} [cursorIntervalMs]  the shortest time between two updates; the
 *   server's own pace may be slower
 * @property {number} [hiddenAfterMs]  how long the page may be hidden before the user is `away`; default 3000
 * @property {Partial<Environment>} [environment]  for tests
 */

/** @typedef {{code: string, message: string, retry_after_ms?: number}} ClientError */

/**
 * The events of a client by their type, with their details.
 *
 * @typedef {object} ClientEvents
 * @property {Status} state
 * @property {import('./presence-replica.js').UsersChange} users
 * @property {{cursors: import('./presence-replica.js').CursorMove[]}} cursors  null for one that went
 * @property {ClientError} error
 * @property {{data: ArrayBuffer}} binary
 * @property {{updates: number}} stored
 */

/**
 * An EventTarget whose listeners know the details of a client's events.
 *
 * @typedef {Omit<EventTarget, 'addEventListener' | 'removeEventListener'> & {
 *   addEventListener<T extends keyof ClientEvents>(
 *     type: T, listener: ((event: CustomEvent<ClientEvents[T]>) => void) | null,
 *     options?: boolean | AddEventListenerOptions): void,
 *   removeEventListener<T extends keyof ClientEvents>(
 *     type: T, listener: ((event: CustomEvent<ClientEvents[T]>) => void) | null,
 *     options?: boolean | EventListenerOptions): void,
 * }} ClientEventTarget
 */

export {};
