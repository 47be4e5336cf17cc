// A browser that does only what a test tells it to: clock, socket, page, storage.

import { PresenceClient } from '../../../presence_server/web/static/presence-client.js';

// Node.js 18, which Debian 12 has, lacks it.
globalThis.CustomEvent ??= class CustomEvent extends Event {
  constructor(type, { detail = null } = {}) {
    super(type);
    this.detail = detail;
  }
};

/** A clock whose timers run when the test moves it. */
export class FakeClock {
  /** Monotonic. */
  now = 1_000_000;
  /** How far the machine's clock is ahead of it; the server's clock is right. */
  offset = 1_767_225_600_000;
  serverOffset = 1_767_225_600_000;
  #timers = new Map();
  #next = 1;

  setTimeout(callback, delayMs) {
    const id = this.#next++;
    this.#timers.set(id, { at: this.now + delayMs, callback });
    return id;
  }

  clearTimeout(id) {
    this.#timers.delete(id);
  }

  /** Run everything that is due within the next `ms`, in order. */
  advance(ms) {
    const until = this.now + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= until);
      if (due.length === 0) break;
      due.sort(([a, one], [b, two]) => one.at - two.at || a - b);
      const [id, timer] = due[0];
      this.#timers.delete(id);
      this.now = Math.max(this.now, timer.at);
      timer.callback();
    }
    this.now = until;
  }

  /** Time passes while the machine sleeps: no timer runs, all become late. */
  sleep(ms) {
    this.now += ms;
  }

  get wall() {
    return this.now + this.offset;
  }

  get server() {
    return this.now + this.serverOffset;
  }

  get pending() {
    return this.#timers.size;
  }
}

export class FakeSocket {
  readyState = 0;
  bufferedAmount = 0;
  sent = [];
  closedWith = null;

  constructor(url, protocols) {
    this.url = new URL(url);
    this.protocols = protocols;
  }

  send(data) {
    if (this.readyState !== 1) throw new Error('send on a socket that is not open');
    this.sent.push(typeof data === 'string' ? JSON.parse(data) : data);
  }

  close(code = 1005, reason = '') {
    if (code !== 1000 && !(code >= 3000 && code <= 4999)) throw new Error(`forbidden: ${code}`);
    this.closedWith = { code, reason };
    this.readyState = 2;
  }

  // --- the server's side ---

  open() {
    this.readyState = 1;
    this.onopen?.({});
  }

  receive(type, payload) {
    this.onmessage?.({ data: JSON.stringify({ type, payload }) });
  }

  raw(data) {
    this.onmessage?.({ data });
  }

  drop(code = 1006, reason = '') {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  of(type) {
    return this.sent.filter((message) => message.type === type).map((message) => message.payload);
  }
}

export class FakeStorage {
  #items = new Map();

  getItem(key) {
    return this.#items.get(key) ?? null;
  }

  setItem(key, value) {
    this.#items.set(key, value);
  }

  removeItem(key) {
    this.#items.delete(key);
  }

  copy() {
    const copy = new FakeStorage();
    for (const [key, value] of this.#items) copy.setItem(key, value);
    return copy;
  }
}

export function user(user_id, changes = {}) {
  return {
    user_id, display_name: user_id, avatar_url: null, color: '#1d4ed8', status: 'online',
    connected: true, cursor: null, metadata: null, joined_at: 1, ...changes,
  };
}

/** A page with one client on it, and what the client did. */
export class FakePage {
  clock = new FakeClock();
  sockets = [];
  window = new EventTarget();
  document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  random = 0.5;
  events = [];
  /** Whether the server does what it is asked to. */
  echoes = true;

  constructor(options = {}, storage = new FakeStorage()) {
    this.storage = storage;
    const page = this;
    class Socket extends FakeSocket {
      constructor(url, protocols) {
        super(url, protocols);
        page.sockets.push(this);
      }

      send(data) {
        super.send(data);
        const { type, payload } = this.sent.at(-1);
        if (type === 'presence:update' && page.echoes) page.clock.setTimeout(() => page.echo(this, payload), 1);
      }
    }
    this.client = new PresenceClient({
      board: 'demo',
      user_id: 'ada',
      ...options,
      environment: {
        WebSocket: Socket,
        setTimeout: (callback, delayMs) => this.clock.setTimeout(callback, delayMs),
        clearTimeout: (id) => this.clock.clearTimeout(id),
        now: () => this.clock.now,
        wallNow: () => this.clock.wall,
        random: () => this.random,
        window: this.window,
        document: this.document,
        sessionStorage: () => this.storage,
        baseUrl: 'https://boards.example/boards/demo?x=1#y',
      },
    });
    for (const type of ['state', 'users', 'cursors', 'error', 'binary', 'stored']) {
      this.client.addEventListener(type, (event) => this.events.push([type, event.detail]));
    }
  }

  /** What the real server sends to the whole board, the sender included. */
  echo(socket, { status = 'online', cursor, metadata }) {
    const self = this.client.self;
    if (self === null || socket !== this.socket || socket.readyState !== 1) return;
    if (cursor !== undefined) {
      socket.receive('presence:cursors', { cursors: [[self.user_id, cursor?.x ?? null, cursor?.y ?? null]] });
    }
    socket.receive('presence:update', {
      user_id: self.user_id, connected: true, status: status === 'active' ? 'online' : status,
      metadata: metadata === undefined ? self.metadata : metadata,
    });
  }

  get socket() {
    return this.sockets[this.sockets.length - 1];
  }

  /** Connect, and be let onto the board. */
  join(changes = {}) {
    if (this.client.state === 'new' || this.client.state === 'closed') this.client.connect();
    this.admit(changes);
    return this;
  }

  /** The server takes the newest socket. */
  admit(changes = {}) {
    this.socket.open();
    const self = changes.self ?? user('ada');
    this.socket.receive('board:joined', {
      board_id: 'demo', session_id: 's1', resumed: false, self, current_users: [self],
      capacity: 100, heartbeat_interval_s: 30, idle_after_s: 60, away_after_s: 180, updates_per_s: 20,
      server_time: this.clock.server, ...changes,
    });
  }

  input() {
    this.window.dispatchEvent(new Event('pointermove'));
  }

  visibility(state) {
    this.document.visibilityState = state;
    this.document.dispatchEvent(new Event('visibilitychange'));
  }

  /** As browsers do it on the way out. */
  hide() {
    this.window.dispatchEvent(new Event('pagehide'));
    this.visibility('hidden');
  }

  restore() {
    this.document.visibilityState = 'visible';
    this.window.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: true }));
  }

  states() {
    return this.events.filter(([type]) => type === 'state').map(([, detail]) => detail.state);
  }
}

/** Let promises that are settled be noticed. */
export async function settle() {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}
