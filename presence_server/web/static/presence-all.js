// The client and all elements: what the bundle, dist/presence.js, is made of.

// For the demo, and no promise to anybody else. What modules that are loaded later share with it is exported by itself.
export { PROFILE_FIELDS, serverRoot } from './presence-address.js';

export { PresenceClient } from './presence-client.js';
export { PresenceBar } from './presence-bar.js';
export { PresenceQueue } from './presence-queue.js';
export { PresenceCursors } from './presence-cursors.js';
