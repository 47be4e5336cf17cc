// Stock clients of Yjs, driven by lines of JSON on standard input: {id, op, ...}. Each gets a line
// {id, result} or {id, error}. The packages are those of the folder named by the first argument. The
// second one says how many times faster than usual the clock of the clients goes.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const folder = process.argv[2]
const pace = Number(process.argv[3] ?? 1)
if (pace !== 1) {
  const { setTimeout: wait, setInterval: repeat, Date: { now } } = globalThis
  globalThis.setTimeout = (call, ms, ...args) => wait(call, ms / pace, ...args)
  globalThis.setInterval = (call, ms, ...args) => repeat(call, ms / pace, ...args)
  Date.now = () => now() * pace
}
const require = createRequire(folder + '/package.json')
const load = async (name) => import(pathToFileURL(require.resolve(name)))
const Y = await load('yjs')
const ws = await load('ws')
const WebSocket = ws.default ?? ws.WebSocket
// The packages for browsers look for it here.
globalThis.WebSocket ??= WebSocket

const clients = new Map()

const STATIC = new URL('../../presence_server/web/static/', import.meta.url)

// Our own provider, on a client of presence.
async function openOurs (doc, server, board, params) {
  const { Awareness } = await load('y-protocols/awareness')
  const { PresenceClient } = await import(new URL('presence-client.js', STATIC))
  const { PresenceYjsProvider } = await import(new URL('presence-yjs.js', STATIC))
  let socket
  class Remembered extends WebSocket {
    constructor (...args) {
      super(...args)
      this.onerror = () => {} // Of a browser's WebSocket an error that nobody listens to is none.
      socket = this
    }
  }
  const presence = new PresenceClient({ board, server, ...params, environment: { WebSocket: Remembered } })
  presence.connect()
  const provider = new PresenceYjsProvider(presence, doc, { Y, awareness: new Awareness(doc) })
  // As a network does it that goes.
  return Object.assign(provider, { lose: () => socket.terminate() })
}

function note (client, provider) {
  provider.on('status', ({ status }) => client.events.push(status))
  provider.on('connection-close', (event) => event && client.events.push(`close ${event.code}`))
  provider.on('closed', (event) => event && client.events.push(`closed ${event.code}`))
  // Hocuspocus:
  provider.on('close', ({ event } = {}) => event && client.events.push(`close ${event.code}`))
  provider.on('authenticated', ({ scope }) => client.events.push(`authenticated ${scope}`))
  provider.on('authenticationFailed', ({ reason }) => client.events.push(`denied ${reason}`))
}

async function open ({
  name, kind, url, board, params = {}, clientId = null, speaksToTabs = false, connect = true, token = '', shares = ''
}) {
  const doc = new Y.Doc()
  if (clientId !== null) doc.clientID = clientId
  const client = { doc, events: [], errors: 0 }
  if (kind === 'hocuspocus') {
    const { HocuspocusProvider, HocuspocusProviderWebsocket } = await load('@hocuspocus/provider')
    const query = new URLSearchParams(params).toString()
    const socket = { url: `${url}/hocuspocus${query ? '?' + query : ''}`, WebSocketPolyfill: WebSocket }
    client.token = token
    const options = { name: board, document: doc, token: () => client.token }
    if (shares) {
      // A socket that carries more than one document.
      client.socket = clients.get(shares)?.socket ?? new HocuspocusProviderWebsocket(socket)
      client.provider = new HocuspocusProvider({ ...options, websocketProvider: client.socket })
      client.provider.attach()
    } else {
      client.provider = new HocuspocusProvider({ ...options, ...socket })
      client.socket = client.provider.configuration.websocketProvider
    }
  } else if (kind === 'presence') {
    client.provider = await openOurs(doc, url, board, params)
  } else {
    const { WebsocketProvider } = await load(kind)
    client.provider = new WebsocketProvider(`${url}/yjs`, board, doc, {
      WebSocketPolyfill: WebSocket, disableBc: !speaksToTabs, connect, params,
      protocols: token ? ['presence.v1', `bearer.${token}`] : []
    })
  }
  note(client, client.provider)
  clients.set(name, client)
}

const until = async (seconds, condition) => {
  const ends = Date.now() + seconds * 1000 * pace
  while (!condition()) {
    if (Date.now() > ends) return false
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return true
}

const isSynced = (client) => client.provider.synced ?? client.provider.isSynced

// A document must never wait for something that does not come.
const isPending = (doc) => doc.store.pendingStructs !== null || doc.store.pendingDs !== null

// The keys of a map come in the order in which they were merged, which means nothing.
const sorted = (_key, value) => value && typeof value === 'object' && !Array.isArray(value)
  ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1))
  : value

const content = (doc) => JSON.stringify([
  doc.getText('text').toDelta(), doc.getMap('map').toJSON(), doc.getArray('array').toJSON()
], sorted)

function random (seed) {
  let state = seed >>> 0
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor(state / 4294967296 * limit)
  }
}

function edit (doc, pick) {
  const text = doc.getText('text'); const map = doc.getMap('map'); const array = doc.getArray('array')
  // Nothing outside the basic plane: Yjs itself differs when an edit divides a surrogate pair.
  const word = String.fromCodePoint(97 + pick(26)).repeat(1 + pick(8)) + ['', 'é', '漢'][pick(3)]
  switch (pick(9)) {
    case 0: case 1: text.insert(pick(text.length + 1), word); break
    case 2: if (text.length > 1) { const at = pick(text.length - 1); text.delete(at, 1 + pick(Math.min(5, text.length - at))) } break
    case 3: if (text.length > 1) text.format(pick(text.length - 1), 1, { bold: pick(2) === 0 || null }); break
    case 4: map.set('k' + pick(6), [word, pick(1000), null, { deep: [word] }][pick(4)]); break
    case 5: map.delete('k' + pick(6)); break
    case 6: array.insert(pick(array.length + 1), [word, { n: pick(9) }]); break
    case 7: if (array.length > 0) array.delete(pick(array.length), 1); break
    case 8: { const nested = new Y.Map(); map.set('m' + pick(3), nested); nested.set('x', new Y.Text(word)); break }
  }
}

const operations = {
  open,
  synced: ({ name, seconds }) => until(seconds, () => isSynced(clients.get(name))),
  insert: ({ name, at, text }) => {
    const { doc, provider } = clients.get(name)
    doc.getText('text').insert(at, text)
    return provider.hasUnsyncedChanges ?? null
  },
  remove: ({ name, at, length }) => clients.get(name).doc.getText('text').delete(at, length),
  text: ({ name }) => clients.get(name).doc.getText('text').toString(),
  hasLength: ({ name, length, seconds }) =>
    until(seconds, () => clients.get(name).doc.getText('text').length === length),
  hasText: ({ name, text, seconds }) =>
    until(seconds, () => clients.get(name).doc.getText('text').toString() === text),
  edit: ({ name, seed, count }) => {
    const { doc } = clients.get(name); const pick = random(seed)
    for (let i = 0; i < count; i++) doc.transact(() => edit(doc, pick))
  },
  // Sticky notes, as the demo board keeps them.
  note: ({ name, key, text, ...fields }) => {
    const { doc } = clients.get(name)
    doc.transact(() => doc.getMap('notes').set(key, new Y.Map(Object.entries({ ...fields, text: new Y.Text(text) }))))
  },
  notes: ({ name }) => clients.get(name).doc.getMap('notes').toJSON(),
  content: ({ name }) => content(clients.get(name).doc),
  isPending: ({ name }) => isPending(clients.get(name).doc),
  state: ({ name }) => Buffer.from(Y.encodeStateAsUpdate(clients.get(name).doc)).toString('base64'),
  events: ({ name }) => clients.get(name).events,
  had: ({ name, event, times, seconds }) =>
    until(seconds, () => clients.get(name).events.filter((had) => had === event).length >= times),
  setParams: ({ name, params }) => { clients.get(name).provider.params = params },
  disconnect: ({ name }) => clients.get(name).provider.disconnect(),
  connect: ({ name }) => { clients.get(name).provider.connect() },
  drop: ({ name }) => {
    const { provider, socket } = clients.get(name)
    const found = socket ? socket.webSocket : provider.ws
    found?.terminate?.()
  },
  hasUnsynced: ({ name }) => clients.get(name).provider.hasUnsyncedChanges,
  hasUnsyncedSoon: ({ name, value, seconds }) =>
    until(seconds, () => clients.get(name).provider.hasUnsyncedChanges === value),
  sawEvent: ({ name, event, seconds }) =>
    until(seconds, () => clients.get(name).events.includes(event)),
  sendToken: ({ name, token }) => {
    const client = clients.get(name)
    client.token = token
    return client.provider.sendToken()
  },
  destroy: ({ name }) => {
    const { provider } = clients.get(name)
    provider.destroy(); provider.client?.leave(); clients.delete(name)
  },
  status: ({ name }) => clients.get(name).provider.status,
  reaches: ({ name, status, seconds }) => until(seconds, () =>
    Object.entries(status).every(([key, value]) => clients.get(name).provider.status[key] === value)),
  // Lose the connection, and type as soon as that is noticed.
  lose: ({ name, text }) => new Promise((resolve) => {
    const { provider, doc } = clients.get(name)
    provider.client.addEventListener('state', () => {
      doc.getText('text').insert(0, text)
      resolve(provider.status)
    }, { once: true })
    provider.lose()
  }),
  converged: ({ seconds }) => until(seconds, () => {
    const found = new Set([...clients.values()].map(({ doc }) => content(doc)))
    return found.size <= 1 && ![...clients.values()].some(({ doc }) => isPending(doc))
  }),
  awareness: ({ name }) =>
    [...clients.get(name).provider.awareness.getStates().entries()].map(([id, state]) => ({ id, state })),
  sees: ({ name, field, value, seconds }) => until(seconds, () =>
    [...clients.get(name).provider.awareness.getStates().values()].some((state) => state[field] === value)),
  setToken: ({ name, token }) => clients.get(name).provider.client.setToken(token),
  setAwareness: ({ name, field, value }) =>
    clients.get(name).provider.awareness.setLocalStateField(field, value),
  read: ({ updates }) => {
    const doc = new Y.Doc()
    for (const update of updates) Y.applyUpdate(doc, Buffer.from(update, 'base64'))
    return { content: content(doc), text: doc.getText('text').toString(), isPending: isPending(doc) }
  }
}

const { situations } = await import('./situations.mjs')
Object.assign(operations, situations({ clients, load, until, Y, WebSocket, WebSocketServer: WebSocket.WebSocketServer }))

let errors = 0
process.on('uncaughtException', (error) => { errors++; console.error(error) })
operations.errors = () => errors
// Yjs reports what it cannot read this way, and goes on.
console.warn = (...words) => { if (String(words[0]).includes('Caught error')) errors++ }

for await (const line of createInterface({ input: process.stdin })) {
  const { id, op, ...args } = JSON.parse(line)
  Promise.resolve().then(() => operations[op](args)).then(
    (result) => console.log(JSON.stringify({ id, result: result ?? null })),
    (error) => console.log(JSON.stringify({ id, error: String(error?.stack ?? error) }))
  )
}
process.exit()
