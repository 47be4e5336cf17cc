// The demo board: /boards/{board_id}, and the board "demo" at /. A proxy may put a
// path before both.

import { serverRoot } from './presence-address.js';
import { loadIdentity, loadStatus, saveIdentity, saveStatus, takeToken } from './board-identity.js';
import { Screens } from './board-screens.js';
import { BOARD_HEIGHT, BOARD_WIDTH } from './board-size.js';
import { PresenceClient } from './presence-client.js';
import './presence-bar.js';
import './presence-cursors.js';
import './presence-queue.js';

/** The palette of the server's protocol/palette.py; a test compares the two. */
const PALETTE = [
  '#c2410c', '#b45309', '#4d7c0f', '#15803d', '#0f766e', '#0e7490', '#0369a1', '#1d4ed8',
  '#4338ca', '#6d28d9', '#7e22ce', '#a21caf', '#be185d', '#be123c', '#b91c1c', '#57534e',
];
/** Below this a canvas that fits is too small to point at; then it scrolls. */
const MIN_SCALE = 0.4;
const MAX_SCROLLED_SCALE = 0.62;

const query = new URLSearchParams(location.search);
const board = boardOf(location.pathname);
const identity = loadIdentity(query);
const token = takeToken();
const screens = new Screens();
/** @type {PresenceClient} */
let client;
let notesAreLoading = false;

/**
 * @param {string} selector
 * @returns {any}
 */
function find(selector) {
  return document.querySelector(selector);
}

/** @param {string} path */
function boardOf(path) {
  const match = /\/boards\/([^/]+)$/.exec(path);
  try {
    return match ? decodeURIComponent(match[1]) : 'demo';
  } catch {
    return 'demo';
  }
}

function show() {
  client = new PresenceClient({ board, ...identity, token });
  client.addEventListener('state', () => {
    screens.show(client.status);
    update();
    if (client.state === 'joined' || client.status.watching) loadNotes();
  });
  client.addEventListener('users', update);
  client.addEventListener('error', (event) => {
    // Only a token can forbid it.
    if (/** @type {CustomEvent} */ (event).detail.code === 'FORBIDDEN') find('#profile-hint').hidden = false;
  });
  client.setStatus(loadStatus());
  for (const element of ['#bar', '#queue', '#cursors']) find(element).client = client;
  // For scripts, and for the developer tools.
  Object.assign(window, { presence: client });
}

/** Notes come after the board: the page needs Yjs only for them. */
async function loadNotes() {
  if (notesAreLoading) return;
  notesAreLoading = true;
  const module = await import('./board-notes.js').catch((error) => console.warn(`notes: ${error}`));
  notesAreLoading = Boolean(module);
  if (!module) return; // The page is being left, or the network is away: the next join tries again.
  const { showNotes } = module;
  const [main, view, stage, layer] = ['main', '#view', '#stage', '#cursors'].map(find);
  const notes = showNotes(client, { main, view, stage, cursors: layer });
  Object.assign(window, { notes });
}

function update() {
  const self = client.self;
  const joined = client.state === 'joined';
  find('#alone').hidden = !(joined && client.users.size === 1);
  find('#leave').disabled = client.state === 'closed';
  find('#status').disabled = client.state === 'closed';
  const name = self?.display_name ?? identity.display_name;
  find('#you-name').textContent = name;
  // Where there is no room for the name, the button has one all the same.
  find('#you').setAttribute('aria-label', `${name}, your name and colour`);
  if (self) find('#you').style.setProperty('--mine', self.color);
}

// --- the canvas ---------------------------------------------------------------

function fit() {
  const { clientWidth: width, clientHeight: height } = find('main');
  const margin = width < 560 ? 0 : 16;
  let scale = Math.min((width - 2 * margin) / BOARD_WIDTH, (height - 2 * margin) / BOARD_HEIGHT);
  if (scale < MIN_SCALE) scale = Math.min(MAX_SCROLLED_SCALE, Math.max(MIN_SCALE, height / BOARD_HEIGHT));
  find('#stage').style.setProperty('--scale', String(scale));
  // What scrolls can be scrolled by the keyboard.
  if (BOARD_WIDTH * scale > width) find('#view').tabIndex = 0;
  else find('#view').removeAttribute('tabindex');
}

// --- one's own name, colour and status ------------------------------------------

function buildProfile() {
  const swatches = find('#swatches');
  PALETTE.forEach((color, index) => {
    const label = document.createElement('label');
    const input = document.createElement('input');
    Object.assign(input, { type: 'radio', name: 'color', value: color });
    input.setAttribute('aria-label', `Colour ${index + 1}`);
    const dot = document.createElement('span');
    dot.style.setProperty('--choice', color);
    label.append(input, dot);
    swatches.append(label);
  });
  const panel = find('#profile');
  panel.addEventListener('beforetoggle', (/** @type {ToggleEvent} */ event) => {
    if (event.newState !== 'open') return;
    find('#name').value = client.self?.display_name ?? identity.display_name;
    const color = client.self?.color ?? identity.color;
    for (const input of panel.querySelectorAll('[name=color]')) input.checked = input.value === color;
  });
  panel.addEventListener('submit', (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    panel.hidePopover();
    rename(find('#name').value.trim(), panel.querySelector('[name=color]:checked')?.value);
  });
}

/**
 * @param {string} name
 * @param {string | undefined} color
 */
function rename(name, color) {
  if (name) identity.display_name = name;
  if (color) identity.color = color;
  saveIdentity(identity, query);
  client.setProfile(identity);
}

function watchControls() {
  const status = find('#status');
  status.value = loadStatus();
  status.addEventListener('change', () => {
    saveStatus(status.value);
    client.setStatus(status.value);
  });
  find('#leave').addEventListener('click', () => client.leave());
  find('#screens').addEventListener('click', (/** @type {MouseEvent} */ event) => {
    const act = /** @type {HTMLElement} */ (event.target).closest('button')?.dataset.act;
    if (act === 'leave') client.leave();
    if (act === 'join') client.connect();
  });
  find('#copy').addEventListener('click', copyLink);
}

async function copyLink() {
  const address = new URL(`boards/${encodeURIComponent(board)}`, serverRoot(location.href)).href;
  try {
    await navigator.clipboard.writeText(address);
    find('#copy').textContent = 'Link copied';
  } catch {
    find('#copy').replaceWith(address); // not allowed here; then by hand
  }
}

function start() {
  find('#board-name').textContent = board;
  document.title = board;
  try {
    show();
  } catch (error) {
    screens.show({ state: 'closed', code: 0, reason: String(error) });
    return;
  }
  buildProfile();
  watchControls();
  new ResizeObserver(fit).observe(find('main'));
  fit();
  client.connect();
}

start();
