// The style sheet of chat at cursors, of following and of what asks everybody to come. It comes
// after that of the cursors.

import { PRESENCE_THEME_CSS } from './presence-theme.js';

export const PRESENCE_COMPANY_CSS = /* css */ `${PRESENCE_THEME_CSS}
.seen { position: absolute; }
.frame { position: absolute; inset: 0; border: 3px solid var(--color); border-radius: 6px; }
.led, .chip, .offer {
  position: absolute;
  inset-inline: 8px;
  display: flex;
  align-items: center;
  justify-content: center;
  gap: 6px;
  width: fit-content;
  max-width: calc(100% - 16px);
  margin-inline: auto;
  box-sizing: border-box;
  border-radius: 10px;
  font-weight: 600;
  overflow-wrap: anywhere;
}
.led { top: 0; padding: 3px 4px 5px 12px; border-radius: 0 0 10px 10px; background: var(--color); color: var(--on-color); }
.led span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.chip, .offer {
  border: 1px solid var(--_line);
  background: var(--_surface);
  color: var(--_text);
  box-shadow: 0 4px 16px rgb(0 0 0 / 18%);
}
.chip { bottom: 12px; padding: 5px 12px; }
.offer { top: 36px; flex-wrap: wrap; padding: 10px 14px; border-inline-start: 4px solid var(--color); }
button {
  padding: 4px 10px;
  border: 1px solid var(--_line);
  border-radius: 8px;
  background: transparent;
  color: inherit;
  font: inherit;
  cursor: pointer;
  pointer-events: auto;
}
button.main { border-color: transparent; background: var(--_text); color: var(--_surface); }
:is(.led, .chip) button { min-width: 24px; min-height: 24px; padding: 0; border: 0; font-size: 1rem; line-height: 1; }
button[hidden] { display: none; }
button:focus-visible { outline: 2px solid var(--_focus); outline-offset: 1px; }
.led button:focus-visible { outline-color: currentColor; outline-offset: -2px; }
.label:has(.saying) > bdi { display: block; overflow: hidden; text-overflow: ellipsis; }
.saying { max-height: 6.5em; opacity: 0; transition: opacity 0.4s ease; font-weight: 400; white-space: pre-wrap; overflow-wrap: anywhere; }
.saying:empty { display: none; }
[data-chat] { opacity: 1 !important; }
[data-chat] .saying { opacity: 1; }
.mine {
  position: absolute;
  left: 0;
  top: 0;
  width: 220px;
  max-width: calc(100% - 8px);
  box-sizing: border-box;
  padding: 4px 6px;
  border-radius: 4px 14px 14px 14px;
  background: var(--color);
  color: var(--on-color);
  box-shadow: 0 4px 16px rgb(0 0 0 / 22%);
  pointer-events: auto;
}
.mine input {
  width: 100%;
  box-sizing: border-box;
  padding: 4px 8px;
  border: 0;
  border-radius: 8px;
  background: transparent;
  color: inherit;
  font: inherit;
  font-weight: 500;
}
.mine input::placeholder { color: inherit; opacity: 0.85; }
.mine input:focus { outline: 2px solid currentColor; outline-offset: -1px; }
.mine input:read-only { outline: 0; }
@media (prefers-reduced-motion: reduce) { .saying { transition: none; } }
@media (forced-colors: active) {
  .frame { forced-color-adjust: none; }
  .mine { border: 1px solid CanvasText; }
}
`;
