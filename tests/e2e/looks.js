// Every state of the elements on one page, with clients that are made up: for test_looks.py.

const NOW = Date.UTC(2026, 0, 15, 14, 3);
const NAMES = [
  'Ada Lovelace', 'Grace Hopper', 'Alan Turing', 'Katherine Johnson', 'Edsger Dijkstra', 'Barbara Liskov',
  'Tim Berners-Lee', 'Radia Perlman', 'Donald Knuth', 'Margaret Hamilton', 'Annie Easley', 'Hedy Lamarr',
];
const COLORS = [
  '#c2410c', '#b45309', '#4d7c0f', '#15803d', '#0f766e', '#0e7490', '#0369a1', '#1d4ed8',
  '#4338ca', '#6d28d9', '#7e22ce', '#a21caf', '#be185d', '#be123c', '#b91c1c', '#57534e',
];

function person(n, changes = {}) {
  const again = Math.floor(n / NAMES.length);
  return {
    user_id: `u${n}`, display_name: NAMES[n % NAMES.length] + (again ? ` ${again + 1}` : ''), avatar_url: null,
    color: COLORS[(n * 5) % COLORS.length], status: 'online', connected: true, cursor: null, metadata: null,
    joined_at: NOW - 3_600_000 + n, ...changes,
  };
}

const people = (count) => Array.from({ length: count }, (_, n) => person(n, { status: ['online', 'idle', 'away'][n % 3] }));
const says = (presence) => ({ metadata: { presence } });
const named = (...names) => names.map((display_name, n) => person(n, { display_name }));
const pictured = (...files) => files.map((file, n) => person(n, { avatar_url: `https://pictures.example/${file}` }));

/** A client that only says what it was given. */
function fake(users, status = {}) {
  const known = { state: 'joined', ...status };
  return Object.assign(new EventTarget(), {
    users: new Map(users.map((user) => [user.user_id, user])),
    state: known.state, status: known, userId: 'u0', serverTime: NOW, leave() {},
  });
}

/** Title, people, status, and the attributes of the bar. */
const BARS = {
  'people-0': ['Nobody', []],
  'people-1': ['One', people(1)],
  'people-2': ['Two', people(2)],
  'people-5': ['Five', people(5)],
  'people-12': ['Twelve', people(12)],
  'people-100': ['A hundred', people(100)],
  statuses: ['Online, idle, away, reconnecting', [
    person(0), person(1, { status: 'idle' }), person(2, { status: 'away' }), person(3, { connected: false }),
  ]],
  badges: ['Hand, typing, place', [
    person(0), person(1, says({ hand: true, location: 'Slide 3' })), person(2, says({ typing: true })), person(3, says({ location: 'Slide 12' })),
  ]],
  left: ['Somebody left', people(4), {}, { 'keep-left': '120' }],
  reconnecting: ['Oneself reconnecting', people(5), { state: 'reconnecting' }],
  offline: ['Oneself offline', people(5), { offline: true }],
  connecting: ['Connecting', [], { state: 'connecting' }],
  queued: ['In the queue', [], { state: 'queued' }],
  full: ['The board is full', [], { state: 'full' }],
  closed: ['Left', [], { state: 'closed', code: 1000 }],
  refused: ['Refused', [], { state: 'reconnecting' }],
  'names-long': ['Long names', named('Wolfeschlegelsteinhausenbergerdorff the Elder of a long and noble house', 'x'.repeat(80), 'A')],
  'names-rtl': ['Names from right to left', named('مريم أحمد', 'דוד בן־גוריון', 'علي')],
  'names-cjk': ['Chinese, Japanese, Korean names', named('李小龙', '山田 太郎', '김 민준')],
  'names-emoji': ['Emoji names', named('👩‍🚀 Sally', '🦊', '🏳️‍🌈 Alex 🎉')],
  colors: ['Colours like the page', [
    person(0, { color: '#ffffff' }), person(1, { color: '#191c22' }), person(2, { color: '#000000' }), person(3, { color: '#ffd84d' }),
  ]],
  pictures: ['Good, broken, slow, huge, wide, no picture', pictured('good.svg', 'broken.png', 'slow.png', 'huge.png', 'wide.svg', 'text.html')],
  small: ['Small, overlapping', people(12), {}, { size: '24', overlap: '8' }],
  large: ['Large, at most three', people(12), {}, { size: '56', max: '3' }],
  start: ['At the start', people(5), {}, { align: 'start' }],
  center: ['In the middle', people(5), {}, { align: 'center' }],
  german: ['German', people(12), {}, {}, { module: 'de', name: 'GERMAN' }],
  arabic: ['Arabic', people(13), {}, { dir: 'rtl' }, { module: 'ar', name: 'ARABIC' }],
};

const QUEUES = {
  'queue-queued': ['Queue: third of seven', { state: 'queued', position: 3, queueLength: 7, capacity: 100, etaS: 240 }],
  'queue-unknown': ['Queue: first, no estimate', { state: 'queued', position: 1, queueLength: 1, capacity: 1 }],
  'queue-full': ['Queue: full', { state: 'full', retryInMs: 30_000 }],
};

function section(id, title, made) {
  const holder = document.createElement('section');
  const heading = document.createElement('h2');
  holder.id = id;
  heading.textContent = title;
  holder.append(heading, made);
  document.querySelector('main').append(holder);
}

async function buildBar(id, [title, users, status = {}, attributes = {}, language = null]) {
  const bar = document.createElement('presence-bar');
  for (const [name, value] of Object.entries(attributes)) bar.setAttribute(name, value);
  if (id === 'people-5') {
    const action = document.createElement('button');
    Object.assign(action, { slot: 'card', textContent: 'Follow' });
    bar.append(action);
  }
  const client = fake(users, status);
  bar.client = client;
  section(id, title, bar);
  if (language) bar.strings = (await import(`/static/presence-strings-${language.module}.js`))[language.name];
  if (id === 'refused') {
    client.dispatchEvent(new CustomEvent('error', { detail: { code: 'UNREACHABLE', message: 'no answer' } }));
  }
  if (id === 'left') {
    const user = person(7);
    client.dispatchEvent(new CustomEvent('users', { detail: { kind: 'left', user } }));
  }
}

function buildQueue(id, [title, status]) {
  const queue = document.createElement('presence-queue');
  queue.client = fake([], status);
  section(id, title, queue);
}

function buildDebug() {
  const panel = document.createElement('presence-debug');
  const client = Object.assign(fake(people(3)), { board: 'demo', roundTripMs: 4.2 });
  panel.client = client;
  section('debug', 'For developers', panel);
  client.dispatchEvent(new CustomEvent('state', { detail: client.status }));
  for (const user of people(12)) client.dispatchEvent(new CustomEvent('users', { detail: { kind: 'joined', user } }));
  client.dispatchEvent(new CustomEvent('cursors', { detail: { cursors: [] } }));
}

const done = Promise.all(Object.entries(BARS).map(([id, look]) => buildBar(id, look)));
for (const [id, look] of Object.entries(QUEUES)) buildQueue(id, look);
buildDebug();
await done;
window.built = true;

/** Whether what is loaded later is there: badges, those who left, and the pictures that come at all. */
window.isLoaded = () => {
  const root = (id) => document.querySelector(`#${id} presence-bar`).shadowRoot;
  return root('badges').querySelectorAll('.badge').length === 3 && root('left').querySelector('[data-gone]') !== null
    && root('pictures').querySelectorAll('img:not(.loading)').length === 3 && root('german').querySelector('.bar').lang === 'de';
};
