// What a closed socket means for its session, and when to reconnect
// (specification, section 6).

/**
 * @typedef {object} ClosePlan
 * @property {boolean} reconnect
 * @property {boolean} keepSession  reconnect with the same session id
 * @property {boolean} full  the board is full and has no queue
 * @property {number | null} waitMs  what the server asked for; null: back off
 */

/** @typedef {{reconnect: boolean, keepSession: boolean}} Rule */

/** @type {Rule} */
const RESUME = { reconnect: true, keepSession: true };
/** What follows a close that a newer token cures. @type {ClosePlan} */
export const START_OVER_WITH_TOKEN = { reconnect: true, keepSession: false, full: false, waitMs: null };

/** @type {Rule} */
const START_OVER = { reconnect: true, keepSession: false };
/** @type {Rule} */
const OVER = { reconnect: false, keepSession: false };
/** The session is only detached, but a new connection would meet the same fault. @type {Rule} */
const STAY_AWAY = { reconnect: false, keepSession: true };

/** @type {Map<number, Rule>} */
const RULES = new Map([
  [1000, OVER],
  [1001, RESUME],
  [1002, STAY_AWAY],
  [1007, STAY_AWAY],
  [1009, RESUME],
  [1011, RESUME],
  [1012, RESUME],
  [1013, START_OVER],
  [4400, OVER],
  [4401, OVER],
  [4403, OVER],
  [4408, START_OVER],
  [4409, OVER],
  [4410, OVER],
  [4413, OVER],
  [4429, RESUME],
  [4508, RESUME],
]);

/** The longest first backoff; it doubles with each attempt. */
export const BACKOFF_BASE_MS = 500;
/** The longest backoff of all. */
export const BACKOFF_CAP_MS = 30_000;

/**
 * Decide what follows a close. A code the table does not know, and no code at
 * all, is a drop: resume, with backoff.
 *
 * @param {number} code
 * @param {string} reason  the close frame's reason
 * @param {number | null} retryAfterMs  from the last BOARD_FULL or RATE_LIMITED error
 * @returns {ClosePlan}
 */
export function planAfterClose(code, reason, retryAfterMs) {
  const rule = RULES.get(code) ?? RESUME;
  let waitMs = null;
  if (code === 1012) waitMs = retryAfterIn(reason);
  if (code === 1013 || code === 4429) waitMs = retryAfterMs;
  return { ...rule, full: code === 1013, waitMs };
}

/**
 * Exponential backoff with full jitter.
 *
 * @param {number} attempt  0 for the first
 * @param {() => number} random
 * @returns {number} milliseconds
 */
export function backoffMs(attempt, random) {
  return random() * Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(attempt, 16));
}

/**
 * @param {unknown} value
 * @returns {number | null} a usable wait in milliseconds
 */
export function validWait(value) {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
}

/** @param {string} reason */
function retryAfterIn(reason) {
  try {
    return validWait(JSON.parse(reason)?.retry_after_ms);
  } catch {
    return null;
  }
}
