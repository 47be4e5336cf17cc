// The style sheet of <presence-debug>; docs/browser.md lists its custom properties and parts.

import { PRESENCE_THEME_CSS } from './presence-theme.js';

export const PRESENCE_DEBUG_CSS = /* css */ `${PRESENCE_THEME_CSS}
:host { display: block; color: var(--_text); font: 0.75rem/1.4 ui-monospace, SFMono-Regular, Menlo, monospace; }
:host([hidden]) { display: none; }
* { box-sizing: border-box; }
.panel {
  max-width: 32rem;
  padding: 10px 12px;
  border: 1px solid var(--_line);
  border-radius: 10px;
  background: var(--_surface);
}
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 2px 12px; margin: 0; }
dt { color: var(--_muted); }
dd { margin: 0; overflow-wrap: anywhere; }
.buttons { display: flex; flex-wrap: wrap; gap: 6px; margin: 10px 0; }
button {
  min-height: 1.75rem;
  padding: 0 10px;
  border: 1px solid var(--_muted);
  border-radius: 6px;
  background: var(--_surface);
  color: var(--_text);
  font: inherit;
  cursor: pointer;
}
button:hover { background: color-mix(in srgb, var(--_text) 7%, var(--_surface)); }
:is(button, ol):focus-visible { outline: 2px solid var(--_focus); outline-offset: 2px; }
ol { max-height: 14rem; margin: 0; padding: 0; overflow: auto; list-style: none; }
li { padding: 1px 0; overflow-wrap: anywhere; border-top: 1px solid var(--_line); }
`;
