// The client and all elements: what the bundle, dist/presence.js, is made of.

export { PresenceClient } from './presence-client.js';
export { PresenceBar } from './presence-bar.js';
export { PresenceQueue } from './presence-queue.js';
export { PresenceCursors } from './presence-cursors.js';
