// The style sheet of what opens from the presence bar: the list, cards and the names
// under the pointer. It comes after that of the bar, whose colours and avatars it uses.
//
// presence-placement.js does what `position-area` does for browsers without anchors.

export const PRESENCE_PANELS_CSS = /* css */ `
.tip {
  position: fixed;
  inset: auto;
  max-width: min(260px, calc(100vw - 16px));
  margin: 0;
  padding: 6px 10px;
  border: 0;
  border-radius: 8px;
  background: #14171d;
  color: #f4f5f7;
  font-size: 0.8125rem;
  pointer-events: none;
  overflow-wrap: anywhere;
  box-shadow: 0 0 0 1px rgb(255 255 255 / 12%), 0 6px 20px rgb(0 0 0 / 25%);
}
.tip span { display: block; color: #b9c0cc; font-size: 0.75rem; }

.panel {
  position: fixed;
  inset: auto;
  margin: 0;
  padding: 0;
  overflow: auto;
  overscroll-behavior: contain;
  border: 1px solid var(--_line);
  border-radius: 14px;
  background: var(--_surface);
  color: var(--_text);
  font-weight: 400;
  text-align: start;
  box-shadow: 0 12px 40px rgb(0 0 0 / 18%);
}
.panel:focus-visible { outline: 2px solid var(--_focus); outline-offset: -2px; }
.panel { max-height: min(27.5rem, var(--room, 100vh - 16px)); }
.list { width: min(20rem, calc(100vw - 16px)); scroll-padding-block-start: 6rem; }
.card { width: min(16rem, calc(100vw - 16px)); }
@supports (position-area: block-end) {
  .panel {
    position-area: block-end span-inline-start;
    position-try: most-block-size flip-block, flip-inline, flip-block flip-inline;
    max-height: min(27.5rem, 100% - 16px);
    margin-block: 8px;
  }
  .list { position-anchor: --presence-more; }
  .card { position-anchor: --presence-card; }
}
.head {
  position: sticky;
  top: 0;
  z-index: 3;
  padding: 12px 16px 8px;
  background: var(--_surface);
}
h2 { margin: 0; color: var(--_muted); font-size: 0.8125rem; font-weight: 600; }
.search {
  width: 100%;
  min-height: 2.25rem;
  margin-top: 8px;
  padding: 4px 10px;
  border: 1px solid var(--_muted);
  border-radius: 8px;
  background: var(--_surface);
  color: var(--_text);
  font: inherit;
}
.search::placeholder { color: var(--_muted); opacity: 1; }
.search:focus-visible { outline: 2px solid var(--_focus); outline-offset: 0; }
.search[hidden], .rows > li[hidden] { display: none; }
.rows { margin: 0; padding: 0 8px 8px; list-style: none; }
.rows > li { content-visibility: auto; contain-intrinsic-size: auto 2.75rem; }
.item {
  --_size: 2rem;
  display: flex;
  align-items: center;
  gap: 12px;
  width: 100%;
  min-height: 2.75rem;
  padding: 6px 8px;
  border: 0;
  border-radius: 8px;
  background: none;
  color: inherit;
  font: inherit;
  text-align: start;
  cursor: pointer;
}
.item:is(:hover, [aria-expanded='true']) { background: color-mix(in srgb, var(--_text) 7%, var(--_surface)); }
.item:focus-visible { outline-offset: -2px; }
.item .avatar, .card .avatar { flex: none; box-shadow: none; }
.text { flex: 1; min-width: 0; }
.text > * { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.place { color: var(--_muted); font-size: 0.8125rem; }
.text .place:empty { display: none; }
.text small { color: var(--_muted); font-size: inherit; }
.word { flex: none; color: var(--_muted); font-size: 0.8125rem; }

.card { padding: 16px; }
.who { --_size: 3rem; display: flex; align-items: center; gap: 14px; padding-inline-end: 1.5rem; }
.who .text > * { overflow-wrap: anywhere; white-space: normal; }
.who .name { font-weight: 650; }
.card .word, .facts { color: var(--_muted); font-size: 0.8125rem; }
.facts { margin: 12px 0 0; padding: 0; list-style: none; overflow-wrap: anywhere; }
.facts:empty { display: none; }
.facts li + li { margin-top: 4px; }
.close {
  position: absolute;
  inset-block-start: 6px;
  inset-inline-end: 6px;
  width: 2rem;
  height: 2rem;
  padding: 0;
  border: 0;
  border-radius: 50%;
  background: none;
  color: var(--_muted);
  font: 1.25rem/1 system-ui, sans-serif;
  cursor: pointer;
}
.close:hover { background: color-mix(in srgb, var(--_text) 7%, var(--_surface)); }
slot { display: block; }
.action {
  margin-top: 12px;
  padding: 6px 12px;
  border: 1px solid var(--_line);
  border-radius: 8px;
  background: transparent;
  color: inherit;
  font: inherit;
  font-weight: 600;
  cursor: pointer;
}
.action[hidden] { display: none; }
.action:hover { background: color-mix(in srgb, var(--_text) 7%, var(--_surface)); }
.filled { margin-top: 12px; }
@media (forced-colors: active) {
  .item:is(:hover, [aria-expanded='true']) { outline: 1px solid; outline-offset: -2px; }
  .tip { border: 1px solid; background: Canvas; }
  .tip, .tip span { color: CanvasText; }
}
`;
