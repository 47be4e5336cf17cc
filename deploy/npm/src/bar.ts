// `presence-server-client/bar` defines <presence-bar>: a row of avatars.

import type { ElementProperties } from './elements.js';
import { PresenceBar } from './presence-bar.js';

export type { ElementEvents } from './elements.js';
export { PresenceBar };

declare global {
  interface HTMLElementTagNameMap {
    'presence-bar': PresenceBar & ElementProperties;
  }
}
