// `presence-server-client/queue` defines <presence-queue>: the place of somebody who waits.

import type { ElementProperties } from './elements.js';
import { PresenceQueue } from './presence-queue.js';

export type { ElementEvents } from './elements.js';
export { PresenceQueue };

declare global {
  interface HTMLElementTagNameMap {
    'presence-queue': PresenceQueue & ElementProperties;
  }
}
