// `presence-server-client/debug` defines <presence-debug>: a panel for developers.

import type { ElementProperties } from './elements.js';
import { PresenceDebug } from './presence-debug.js';

export type { ElementEvents } from './elements.js';
export { PresenceDebug };

declare global {
  interface HTMLElementTagNameMap {
    'presence-debug': PresenceDebug & ElementProperties;
  }
}
