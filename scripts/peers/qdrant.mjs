// Looks into Qdrant from outside, and stands in front of it: up, down, or killing whoever writes a vector.
import { createServer, request } from 'node:http'
import { DIMENSIONS } from './embed.mjs'

async function ask(url, method, path, body) {
  const answer = await fetch(`${url}${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  })
  return (await answer.json()).result
}

const collections = async (url) => (await ask(url, 'GET', '/collections')).collections.map(({ name }) => name)

/** Every vector of records there is, whosever it is; points that only remember a deletion have none. */
export async function vectorsIn(url, only) {
  const found = []
  for (const name of only ?? (await collections(url))) {
    const body = { limit: 1000, with_vector: true, with_payload: false }
    const result = await ask(url, 'POST', `/collections/${name}/points/scroll`, body)
    for (const { vector } of result?.points ?? []) {
      const numbers = Array.isArray(vector) ? vector : Object.values(vector ?? {}).find(Array.isArray)
      if (numbers?.length === DIMENSIONS) found.push(numbers)
    }
  }
  return found
}

export async function emptyQdrant(url) {
  for (const name of await collections(url)) await ask(url, 'DELETE', `/collections/${name}`)
}

const isWrite = ({ method, url }) => /\/points/.test(url) && (method === 'PUT' || /\/(batch|delete)/.test(url))

/** `onWrite` is called instead of the first write of a vector, which never arrives. */
export async function proxyOf(target) {
  const state = { down: false, onWrite: null }
  const { hostname, port } = new URL(target)
  const server = createServer((incoming, outgoing) => {
    if (state.onWrite && isWrite(incoming)) {
      state.down = true
      state.onWrite()
    }
    if (state.down) return void incoming.socket.destroy()
    const { method, url, headers } = incoming
    const passed = request({ hostname, port, method, path: url, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers)
      answer.pipe(outgoing)
    })
    passed.on('error', () => incoming.socket.destroy())
    incoming.pipe(passed)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { state, url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() }
}
