// The presence bar's style sheet, as text for an adopted style sheet: a page
// under a strict Content-Security-Policy may not have inline styles.
//
// docs/browser.md lists the custom properties, parts and attributes by which a page
// restyles the bar. Light or dark follows the page's own `color-scheme`.
//
// Comments stand here, for the text is sent as it is: `.sizer .more` is as wide as the
// button with its icon; an avatar with `data-edge` has a colour like that of the page; a
// dot says the status by its shape as well: disc, crescent, ring, dashes.

import { PRESENCE_THEME_CSS } from './presence-theme.js';

export const PRESENCE_BAR_CSS = /* css */ `${PRESENCE_THEME_CSS}
:host {
  --_size: var(--presence-size, 2.25rem);
  --_online: var(--presence-online, #16a34a);
  --_idle: var(--presence-idle, #d97706);
  --_away: var(--presence-away, #6b7280);
  --edge-pale: #8b919c;
  --edge-dark: transparent;
  display: block;
  min-width: 0;
  color: var(--_text);
  font: 0.875rem/1.35 system-ui, sans-serif;
}
:host([hidden]) { display: none; }
@supports (color: light-dark(red, red)) {
  :host {
    --_online: var(--presence-online, light-dark(#16a34a, #34d399));
    --_idle: var(--presence-idle, light-dark(#d97706, #fbbf24));
    --_away: var(--presence-away, light-dark(#6b7280, #9aa3b2));
    --edge-pale: light-dark(#8b919c, transparent);
    --edge-dark: light-dark(transparent, #7d8594);
  }
}
* { box-sizing: border-box; }
.sizer { display: flex; gap: 8px; height: 0; max-width: 100%; overflow: hidden; visibility: hidden; }
.natural {
  flex: none;
  width: calc(var(--natural, 0) * (var(--_size) + 3px - var(--overlap, 0px)) + var(--overlap, 0px) + 6px);
}
.sizer .more { padding-inline: 22px; }
.bar { display: flex; align-items: center; justify-content: flex-end; gap: 8px; min-height: calc(var(--_size) + 10px); }
:host([align='start']) .bar { justify-content: flex-start; }
:host([align='center']) .bar { justify-content: center; }
.people {
  display: flex;
  flex: 0 1 auto;
  margin: 0;
  padding: 5px 4px 5px 4px;
  min-width: 0;
  list-style: none;
  transition: filter 0.2s ease;
}
:host([data-stale]) .people { filter: grayscale(1); }
:host([data-stale]) .dot { opacity: 0.4; }
:host([data-watching]) .people { opacity: 0.8; }
.person { flex: none; margin-inline-start: calc(3px - var(--overlap, 0px)); position: relative; transition: transform 0.15s ease; }
.person:first-child { margin-inline-start: 0; }
.person:is(:hover, :focus-within) { transform: translateY(-2px); z-index: 2; }
.person.arrived { animation: arrive 0.25s ease-out; }
@keyframes arrive { from { opacity: 0; transform: scale(0.6); } }

.avatar {
  position: relative;
  display: block;
  width: var(--_size);
  height: var(--_size);
  padding: 2px;
  border: 2px solid var(--color);
  border-radius: 50%;
  background: var(--_surface);
  box-shadow: 0 0 0 2px var(--_surface);
  font: inherit;
}
button.avatar { cursor: pointer; }
button:focus-visible { outline: 2px solid var(--_focus); outline-offset: 2px; }
[data-edge='pale'] { outline: 1px solid var(--edge-pale); }
[data-edge='pale'] .face { box-shadow: inset 0 0 0 1px var(--edge-pale); }
[data-edge='dark'] { outline: 1px solid var(--edge-dark); }
[data-edge='dark'] .face { box-shadow: inset 0 0 0 1px var(--edge-dark); }
.face {
  display: grid;
  place-items: center;
  width: 100%;
  height: 100%;
  overflow: hidden;
  border-radius: 50%;
  background: var(--color);
  color: var(--on-color);
  font-size: calc(var(--_size) * 0.34);
  font-weight: 650;
  letter-spacing: 0.01em;
  line-height: 1;
  user-select: none;
}
.face[data-initials]::before { content: attr(data-initials); }
.face img { width: 100%; height: 100%; object-fit: cover; }
.face .loading { position: absolute; opacity: 0; }

.dot {
  position: absolute;
  inset-inline-end: -4px;
  bottom: -4px;
  width: max(10px, calc(var(--_size) * 0.42));
  height: max(10px, calc(var(--_size) * 0.42));
  border: 2px solid var(--_surface);
  border-radius: 50%;
  background: var(--_surface);
}
.dot::before { content: ''; position: absolute; inset: 0; border-radius: 50%; }
[data-status='online'] .dot::before { background: var(--_online); }
[data-status='idle'] .dot::before {
  background: radial-gradient(circle at 20% 20%, transparent 0 29%, var(--_idle) 33%);
}
[data-status='away'] .dot::before { border: 2.5px solid var(--_away); }
[data-connected='false'] .dot::before { background: none; border: 2px dotted var(--_away); }
[data-connected='false'] .avatar { border-style: dashed; border-color: var(--_muted); }
[data-connected='false'] .face {
  background: color-mix(in srgb, var(--color) 12%, var(--_surface));
  color: var(--_muted);
}
[data-gone] .dot { display: none; }
[data-connected='false'] .face img { opacity: 0.4; filter: grayscale(1); }

.more {
  display: inline-flex;
  align-items: center;
  justify-content: center;
  flex: none;
  gap: 6px;
  min-width: var(--_size);
  height: var(--_size);
  padding: 0 11px;
  border: 1px solid var(--_line);
  border-radius: calc(var(--_size) / 2);
  background: var(--_surface);
  color: var(--_text);
  anchor-name: --presence-more;
  font: inherit;
  font-weight: 600;
  font-variant-numeric: tabular-nums;
  cursor: pointer;
}
.more:hover, .more[aria-expanded='true'] { background: color-mix(in srgb, var(--_text) 7%, var(--_surface)); }
.more svg { width: 1rem; height: 1rem; color: var(--_muted); }
.more[hidden] { display: none; }
.note { padding: 0 4px; color: var(--_muted); }
.note:empty { display: none; }

.quiet {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}
@media (prefers-reduced-motion: reduce) { .person { transition: none; animation: none !important; } }
@media (forced-colors: active) {
  .dot::before { forced-color-adjust: none; }
  .avatar { forced-color-adjust: none; }
}
`;
