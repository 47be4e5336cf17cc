// The style sheet of <presence-cursors>; docs/browser.md lists its custom properties and parts.

export const PRESENCE_CURSORS_CSS = /* css */ `
:host {
  position: fixed;
  inset: 0 auto auto 0;
  width: 9px;
  height: 9px;
  transform-origin: 0 0;
  z-index: var(--presence-cursors-z, 5);
  display: block;
  overflow: hidden;
  pointer-events: none;
  contain: strict;
  font: 0.8125rem/1.3 system-ui, sans-serif;
}
:host([hidden]) { display: none; }
.cursor { position: absolute; left: 0; top: 0; width: 0; height: 0; transition: opacity 0.4s ease; will-change: transform; }
.cursor[data-idle] { opacity: 0.35; }
:has(> :nth-child(13)) > [data-idle] .label { display: none; }
svg { display: block; width: 20px; height: 22px; overflow: visible; fill: var(--color); stroke: #fff; stroke-width: 1.5; filter: drop-shadow(0 1px 2px rgb(0 0 0 / 35%)); }
.label {
  position: absolute;
  left: 14px;
  top: 16px;
  width: max-content;
  max-width: 12rem;
  padding: 2px 8px;
  overflow: hidden;
  border-radius: 8px;
  background: var(--color);
  color: var(--on-color);
  font-weight: 600;
  text-overflow: ellipsis;
  white-space: nowrap;
}
.cursor[data-flip] .label { left: auto; right: -4px; }
.cursor[data-rise] .label { top: auto; bottom: 4px; }
@media (prefers-reduced-motion: reduce) { .cursor { transition: none; } }
@media (forced-colors: active) { .label, svg { forced-color-adjust: none; } }
`;
