// The client and all elements: what the bundle, dist/presence.js, is made of.

// For the demo, and no promise to anybody else.
export { PROFILE_FIELDS, serverRoot } from './presence-address.js';
export { safeColor, textOn } from './presence-people.js';
export { styleSheet } from './presence-sheet.js';

export { PresenceClient } from './presence-client.js';
export { PresenceBar } from './presence-bar.js';
export { PresenceQueue } from './presence-queue.js';
export { PresenceCursors } from './presence-cursors.js';
