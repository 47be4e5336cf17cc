// `presence-server-client/cursors` defines <presence-cursors>: cursors over an element.

import type { ElementProperties } from './elements.js';
import { PresenceCursors } from './presence-cursors.js';

export type { ElementEvents } from './elements.js';
export { PresenceCursors };

declare global {
  interface HTMLElementTagNameMap {
    'presence-cursors': PresenceCursors & ElementProperties;
  }
}
