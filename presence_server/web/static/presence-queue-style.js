// The style sheet of <presence-queue>; docs/browser.md lists its custom properties and parts.

import { PRESENCE_THEME_CSS } from './presence-theme.js';

export const PRESENCE_QUEUE_CSS = /* css */ `${PRESENCE_THEME_CSS}
:host {
  --_accent: var(--presence-accent, #4338ca);
  display: none;
  color: var(--_text);
  font: 1rem/1.45 system-ui, sans-serif;
}
@supports (color: light-dark(red, red)) {
  :host {
    --_accent: var(--presence-accent, light-dark(#4338ca, #a5b4fc));
  }
}
:host([data-waits]) { display: block; }
:host([hidden]) { display: none; }
* { box-sizing: border-box; }
.screen {
  width: min(27.5rem, 100%);
  margin-inline: auto;
  padding: 2.25rem 2rem 2rem;
  border: 1px solid var(--_line);
  border-radius: 20px;
  background: var(--_surface);
  text-align: center;
}
h2 { margin: 0 0 0.5rem; font-size: 1.375rem; font-weight: 680; letter-spacing: -0.01em; outline: none; }
p { margin: 0 0 1.125rem; color: var(--_muted); text-wrap: balance; }
.big { margin-bottom: 0.25rem; color: var(--_text); font-size: 1.0625rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.estimate { min-height: 1.45em; }
[data-kind='full'] :is(.estimate, progress) { display: none; }
.buttons { display: flex; flex-wrap: wrap; justify-content: center; gap: 0.5rem; }
button {
  min-height: 2.5rem;
  padding: 0 1.125rem;
  border: 1px solid var(--_line);
  border-radius: 10px;
  background: var(--_surface);
  color: var(--_text);
  font: inherit;
  font-weight: 600;
  cursor: pointer;
}
button[hidden] { display: none; }
button:hover { background: color-mix(in srgb, var(--_text) 7%, var(--_surface)); }
button:focus-visible { outline: 2px solid var(--_focus); outline-offset: 2px; }
progress {
  display: block;
  width: 100%;
  height: 8px;
  margin: 0 0 1.125rem;
  overflow: hidden;
  border: 0;
  border-radius: 4px;
  background: var(--_line);
  appearance: none;
}
progress::-webkit-progress-bar { background: var(--_line); }
progress::-webkit-progress-value { border-radius: 4px; background: var(--_accent); transition: inline-size 0.4s ease; }
progress::-moz-progress-bar { border-radius: 4px; background: var(--_accent); }
@media (width < 560px) { .screen { padding: 1.75rem 1.25rem 1.5rem; } }
@media (prefers-reduced-motion: reduce) { progress::-webkit-progress-value { transition: none; } }
@media (forced-colors: active) { progress { border: 1px solid; } progress::-webkit-progress-value { background: Highlight; } }
`;
