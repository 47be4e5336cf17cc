// Work 12: stock providers of y-websocket on one document, each of which moves its cursor.
//
// Arguments: the folder of the packages, the URL, how many providers, moves a second of each, seconds.
// Prints one line of JSON.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [folder, url, count, rate, seconds] = process.argv.slice(2)
const require = createRequire(folder + '/package.json')
const load = async (name) => import(pathToFileURL(require.resolve(name)))
const Y = await load('yjs')
const ws = await load('ws')
const WebSocket = ws.default ?? ws.WebSocket
globalThis.WebSocket ??= WebSocket
const { WebsocketProvider } = await load('y-websocket-3')

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const providers = []
for (let number = 0; number < Number(count); number++) {
  const provider = new WebsocketProvider(url, 'board-0', new Y.Doc(), {
    WebSocketPolyfill: WebSocket, disableBc: true, params: { user_id: 'u' + number }
  })
  providers.push(provider)
  await new Promise((resolve) => provider.once('sync', resolve))
}
for (const { awareness } of providers) awareness.setLocalStateField('cursor', { x: 0, y: 0.5 })
await pause(2000)

// One of them looks at what another does.
const sentAt = []
const delays = []
let seen = 0
const [watcher, moved] = [providers[0], providers[1]]
watcher.awareness.on('change', () => {
  const x = watcher.awareness.getStates().get(moved.doc.clientID)?.cursor?.x ?? 0
  if (x > seen) {
    seen = x
    delays.push(performance.now() - sentAt[x])
  }
})

const began = performance.now()
const cpu = process.cpuUsage()
console.log('begin')
let rounds = 0
while (performance.now() - began < seconds * 1000) {
  rounds++
  sentAt[rounds] = performance.now()
  for (const { awareness } of providers) {
    awareness.setLocalStateField('cursor', { x: rounds, y: 0.5 })
  }
  // A process that is late leaves rounds out.
  const next = Math.max(began + rounds * 1000 / rate, performance.now() + 1)
  await pause(next - performance.now())
}
const used = process.cpuUsage(cpu)
const took = (performance.now() - began) / 1000
console.log('end')
await pause(1000)
delays.sort((a, b) => a - b)
console.log(JSON.stringify({
  rounds,
  due: Math.floor(took * rate),
  seen: delays.length,
  p99_ms: delays[Math.ceil(delays.length * 0.99) - 1] ?? null,
  client_cpu: (used.user + used.system) / 1e6 / took
}))
process.exit()
