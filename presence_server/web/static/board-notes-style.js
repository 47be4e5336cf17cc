// How sticky notes look. They are laid out in board units, as the backdrop is.

export const NOTES_CSS = /* css */ `
.notes {
  position: absolute;
  top: 0;
  left: 0;
  width: 1600px;
  height: 900px;
  transform: scale(var(--scale, 1));
  transform-origin: 0 0;
  pointer-events: none;
  /* Notes lie above each other by numbers of their own. */
  isolation: isolate;
}

.sticky, .note-swatch {
  --paper: #fde68a;
}
[data-color='sky'] { --paper: #bae6fd; }
[data-color='mint'] { --paper: #bbf7d0; }
[data-color='rose'] { --paper: #fecdd3; }
[data-color='lilac'] { --paper: #ddd6fe; }
[data-color='sand'] { --paper: #e7e0d3; }

.sticky {
  position: absolute;
  width: 200px;
  border-radius: 4px 4px 18px;
  background: var(--paper);
  box-shadow: 0 1px 2px rgb(20 24 40 / 14%), 0 6px 16px rgb(20 24 40 / 14%);
  color: #23262d;
  cursor: grab;
  pointer-events: auto;
  touch-action: none;
}
.sticky[data-fixed] { cursor: default; touch-action: auto; }
.sticky:focus-within { z-index: 100000000 !important; outline: 3px solid var(--accent); outline-offset: 1px; }
.sticky[data-held]:not(:focus-within) { z-index: 99999999 !important; outline: 3px solid var(--holder); outline-offset: 1px; }
.sticky[data-held]:not(:focus-within, [data-dragged]) { transition: left 90ms linear, top 90ms linear; }
.sticky[data-dragged] {
  cursor: grabbing;
  box-shadow: 0 2px 4px rgb(20 24 40 / 16%), 0 16px 32px rgb(20 24 40 / 24%);
}

.grip {
  display: block;
  width: 100%;
  height: 24px;
  padding: 0;
  border: 0;
  border-radius: inherit;
  background: none;
  color: inherit;
  cursor: inherit;
  outline: none;
}
.grip::before {
  display: block;
  width: 36px;
  height: 4px;
  margin: 0 auto;
  border-radius: 2px;
  background: currentcolor;
  content: '';
  opacity: 0;
  transition: opacity 0.15s ease;
}
.sticky:hover .grip::before { opacity: 0.22; }
.grip:focus-visible::before { opacity: 0.75; }
.sticky[data-fixed]::before { display: block; height: 24px; content: ''; }

.paper {
  display: grid;
  min-height: 126px;
  max-height: calc(var(--room) - 24px);
  overflow: hidden;
}
.paper > * {
  grid-area: 1 / 1;
  box-sizing: border-box;
  width: 100%;
  min-width: 0;
  margin: 0;
  padding: 2px 16px 18px;
  border: 0;
  font: inherit;
  font-size: 19px;
  font-weight: 550;
  line-height: 1.3;
  overflow-wrap: anywhere;
  white-space: pre-wrap;
}
.mirror { visibility: hidden; }
.paper textarea {
  border-radius: inherit;
  background: none;
  color: inherit;
  cursor: inherit;
  outline: none;
  resize: none;
}
.paper textarea:focus { cursor: text; }
.paper textarea::placeholder { color: color-mix(in srgb, #23262d 75%, var(--paper)); opacity: 1; }
.paper textarea:not(:focus)::placeholder { color: transparent; }

.holder {
  position: absolute;
  top: 100%;
  left: -3px;
  max-width: 160px;
  margin-top: 4px;
  padding: 1px 8px 2px;
  overflow: hidden;
  transform: scale(calc(1 / var(--scale, 1)));
  transform-origin: 0 0;
  border-radius: 3px 10px 10px;
  background: var(--holder);
  color: var(--on-holder);
  font-size: 12px;
  font-weight: 600;
  text-overflow: ellipsis;
  white-space: nowrap;
  pointer-events: none;
}

/* --- tools of the note that has the focus ---------------------------------- */

.note-tools {
  position: absolute;
  bottom: calc(100% + 8px / var(--scale, 1));
  left: var(--shift, 0);
  display: flex;
  align-items: center;
  gap: 2px;
  padding: 4px;
  transform: scale(calc(1 / var(--scale, 1)));
  transform-origin: 0 100%;
  border: 1px solid var(--line);
  border-radius: 12px;
  background: var(--surface);
  box-shadow: var(--shadow);
  cursor: default;
}
.sticky[data-tools='below'] .note-tools { top: calc(100% + 8px / var(--scale, 1)); bottom: auto; transform-origin: 0 0; }
.sticky[data-dragged] .note-tools { visibility: hidden; }

.note-tools button {
  display: grid;
  width: 32px;
  height: 32px;
  padding: 0;
  border: 0;
  border-radius: 8px;
  background: none;
  color: var(--text);
  cursor: pointer;
  place-items: center;
}
.note-tools button:hover { background: color-mix(in srgb, var(--text) 8%, transparent); }
.note-tools button:focus-visible { outline: 2px solid var(--accent); outline-offset: -1px; }
.note-swatch::before {
  width: 20px;
  height: 20px;
  border: 1px solid rgb(0 0 0 / 18%);
  border-radius: 50%;
  background: var(--paper);
  content: '';
}
.note-swatch[aria-pressed='true']::before { outline: 2px solid var(--text); outline-offset: 1.5px; }
.note-away { margin-left: 4px; }

.icon { display: block; width: 18px; height: 18px; }
.icon path { fill: none; stroke: currentcolor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }

/* --- the bar below the board ------------------------------------------------ */

.note-bar {
  position: absolute;
  bottom: 12px;
  left: 50%;
  display: flex;
  align-items: center;
  gap: 4px;
  max-width: calc(100% - 16px);
  padding: 5px;
  transform: translateX(-50%);
  border: 1px solid var(--line);
  border-radius: 14px;
  background: var(--surface);
  box-shadow: var(--shadow);
}
.note-bar .button { gap: 6px; min-height: 36px; padding: 0 14px 0 10px; border-radius: 10px; white-space: nowrap; }
.note-bar .note-step { width: 36px; padding: 0; border-color: transparent; justify-content: center; }
.note-saved {
  display: inline-flex;
  align-items: center;
  justify-content: center;
  gap: 5px;
  min-width: 112px;
  padding: 0 10px 0 6px;
  color: var(--muted);
  font-size: 13px;
  font-weight: 550;
  white-space: nowrap;
}
.note-bar[data-fixed] .note-saved { min-width: 0; min-height: 32px; padding: 0 10px; }
.note-saved .icon { width: 15px; height: 15px; color: var(--good); }
.note-saved:not([data-state='saved']) .icon { display: none; }
.note-saved[data-state='offline'], .note-saved[data-state='unsaved'] { color: var(--warn); }

main:has(> .note-bar:not([hidden])) > .alone { bottom: 76px; }

@media (prefers-color-scheme: dark) {
  .sticky, .note-swatch { --paper: #e9cf62; }
  [data-color='sky'] { --paper: #8fcdee; }
  [data-color='mint'] { --paper: #8fdcab; }
  [data-color='rose'] { --paper: #eda6b1; }
  [data-color='lilac'] { --paper: #b9adf0; }
  [data-color='sand'] { --paper: #cbc1ae; }
}
@media (prefers-contrast: more) {
  .sticky { outline: 1px solid #23262d; }
}
@media (forced-colors: active) {
  .sticky { border: 1px solid CanvasText; }
}
`;
