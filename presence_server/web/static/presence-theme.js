// The colours that all elements share, light and dark: the beginning of their style sheets.

export const PRESENCE_THEME_CSS = /* css */ `
:host {
  --_surface: var(--presence-surface, #ffffff);
  --_text: var(--presence-text, #1c1f26);
  --_muted: var(--presence-muted, #5a6170);
  --_line: var(--presence-line, #d9dde5);
  --_focus: var(--presence-focus, #2563eb);
}
@supports (color: light-dark(red, red)) {
  :host {
    --_surface: var(--presence-surface, light-dark(#ffffff, #191c22));
    --_text: var(--presence-text, light-dark(#1c1f26, #eceef2));
    --_muted: var(--presence-muted, light-dark(#5a6170, #a3abba));
    --_line: var(--presence-line, light-dark(#d9dde5, #363c48));
    --_focus: var(--presence-focus, light-dark(#2563eb, #7aa2ff));
  }
}
`;
