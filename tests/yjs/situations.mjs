// What single tests ask of stock clients.

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

// lib0's comparison, as far as awareness needs it.
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b)

export function situations ({ clients, load, until, Y, WebSocket, WebSocketServer }) {
  const awarenessOf = (name) => clients.get(name).provider.awareness

  // A server that closes each connection with the code that its path ends in.
  async function afterCloses ({ kind, codes, seconds }) {
    const { WebsocketProvider } = await load(kind)
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await new Promise((resolve) => server.once('listening', resolve))
    const connects = new Map(codes.map((code) => [code, 0]))
    server.on('connection', (socket, request) => {
      const code = Number(request.url.match(/\d+/)[0])
      connects.set(code, connects.get(code) + 1)
      socket.close(code)
    })
    const stayed = new Set()
    const providers = codes.map((code) => {
      const provider = new WebsocketProvider(`ws://127.0.0.1:${server.address().port}`, String(code), new Y.Doc(), {
        WebSocketPolyfill: WebSocket, disableBc: true
      })
      provider.on('closed', () => stayed.add(code))
      return provider
    })
    await until(seconds, () => codes.every((code) => stayed.has(code) || connects.get(code) > 1))
    for (const provider of providers) provider.destroy()
    for (const socket of server.clients) socket.terminate()
    server.close()
    return Object.fromEntries(codes.map((code) => [code, !stayed.has(code) && connects.get(code) > 1]))
  }

  // testAwareness of y-protocols 1.0.7 (awareness.test.js), with a server between the two. The server puts
  // the user into each state, so states are compared without it; and it has each client count on once.
  async function awarenessTest ({ first, second, seconds }) {
    const aw1 = awarenessOf(first)
    const aw2 = awarenessOf(second)
    const id = aw1.clientID
    const check = (condition, what) => { if (!condition) throw new Error(`${what}: ${JSON.stringify([...aw2.getStates()])}`) }
    const stateAt2 = () => {
      const state = aw2.getStates().get(id)
      if (state === undefined) return state
      const { user, ...rest } = state
      return rest
    }
    check(await until(seconds, () => aw2.getStates().has(id)), 'the first one is seen')
    const before = aw1.meta.get(id).clock
    const reached = (clock) => until(seconds, () => aw2.meta.get(id)?.clock === before + clock)
    let lastChangeLocal = null
    let lastChange = null
    const ofFirst = ({ added, updated, removed }) => {
      const only = (ids) => ids.filter((client) => client === id)
      const change = { added: only(added), updated: only(updated), removed: only(removed) }
      return same(change, { added: [], updated: [], removed: [] }) ? null : change
    }
    aw1.on('change', (change) => { lastChangeLocal = ofFirst(change) ?? lastChangeLocal })
    aw2.on('change', (change) => { lastChange = ofFirst(change) ?? lastChange })

    aw1.setLocalState({ x: 3 })
    check(await reached(1), 'the clock is 1')
    check(same(stateAt2(), { x: 3 }), 'the state arrives')
    check(same(lastChange.updated, [id]), 'it is updated')
    check(same(lastChangeLocal, { added: [], updated: [id], removed: [] }), 'the local one is updated')

    lastChange = lastChangeLocal = null
    aw1.setLocalState({ x: 4 })
    check(await reached(2), 'the clock is 2')
    check(same(stateAt2(), { x: 4 }), 'the second state arrives')
    check(same(lastChangeLocal, { added: [], updated: [id], removed: [] }), 'it is updated')
    check(same(lastChangeLocal, lastChange), 'both see the same change')

    lastChange = lastChangeLocal = null
    aw1.setLocalState({ x: 4 })
    check(await reached(3), 'the clock is 3')
    check(lastChange === null, 'the same state is no change')
    check(same(lastChangeLocal, lastChange), 'for neither')

    aw1.setLocalState(null)
    check(await until(seconds, () => lastChange !== null), 'the removal arrives')
    check(lastChange.removed.length === 1, 'one is removed')
    check(aw1.getStates().get(id) === undefined, 'it is gone')
    check(stateAt2() === undefined, 'it is gone for the other')
    check(same(lastChangeLocal, lastChange), 'both see the same removal')
  }

  return {
    afterCloses,
    awarenessTest,

    // Insert many pieces, each in front of the others.
    fill: ({ name, length, piece }) => {
      const { doc } = clients.get(name)
      const text = doc.getText('text')
      while (text.length < length) {
        text.insert(0, String.fromCharCode(97 + text.length / piece % 26).repeat(Math.min(piece, length - text.length)))
      }
    },

    // Say something all the time.
    beat: ({ name, ms }) => {
      const { provider } = clients.get(name)
      let beats = 0
      setInterval(() => provider.awareness.setLocalStateField('beats', ++beats), ms)
    },

    // Remember every state that a client ever shows: [client id, user id, name].
    watchStates: ({ name }) => {
      const client = clients.get(name)
      client.shown = new Set()
      const look = () => {
        for (const [id, { user }] of awarenessOf(name).getStates()) {
          client.shown.add(JSON.stringify([id, user?.id ?? null, user?.name ?? null]))
        }
      }
      awarenessOf(name).on('update', look)
      look()
    },
    shown: ({ name }) => [...clients.get(name).shown].map((line) => JSON.parse(line)),
    clientId: ({ name }) => clients.get(name).doc.clientID,

    // Wait until a client shows the states of exactly these users, beside its own one.
    showsUsers: ({ name, users, seconds }) => until(seconds, () => {
      const own = clients.get(name).doc.clientID
      const others = [...awarenessOf(name).getStates()].filter(([id]) => id !== own)
      return same(others.map(([, { user }]) => user?.id ?? null).sort(), [...users].sort())
    }),

    // All clients change their states again and again. What each of them was sent meanwhile is counted.
    stormOfStates: async ({ rounds, ms, seconds }) => {
      const all = [...clients.values()]
      let messages = 0
      const listeners = all.map(({ provider }) => {
        const listener = () => { messages++ }
        provider.ws.addEventListener('message', listener)
        return () => provider.ws?.removeEventListener('message', listener)
      })
      const began = performance.now()
      for (let round = 1; round <= rounds; round++) {
        for (const { provider } of all) provider.awareness.setLocalStateField('round', round)
        await pause(ms)
      }
      const isThere = await until(seconds, () => all.every(({ provider }) => {
        const states = [...provider.awareness.getStates().values()]
        return states.length === all.length && states.every(({ round }) => round === rounds)
      }))
      for (const stop of listeners) stop()
      return { isThere, messages, tookMs: performance.now() - began }
    }
  }
}
