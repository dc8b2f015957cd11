import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

/** Stands in front of a server of HTTP, and refuses what it does not like. */
export interface PickyProxy extends AsyncDisposable {
  readonly url: string
  /** Writes whose body has this text are answered by 400; null lets everything through. */
  poison: string | null
  /** How many were refused. */
  refused: number
}

const WRITES = ['PUT', 'POST']

/** Reads by key name it too: only what stores it is refused. */
const stores = (body: Buffer, poison: string): boolean => body.includes(poison) && body.includes('"vector"')

export async function startPickyProxy(target: string): Promise<PickyProxy> {
  const proxy = { poison: null as string | null, refused: 0 }
  const server = createServer((given, answer) => void pass(given, answer))
  async function pass(given: IncomingMessage, answer: import('node:http').ServerResponse): Promise<void> {
    const body = await buffer(given)
    if (proxy.poison !== null && WRITES.includes(given.method ?? '') && stores(body, proxy.poison)) {
      proxy.refused++
      answer.writeHead(400, { 'content-type': 'application/json' }).end('{"status":{"error":"a bad point"}}')
      return
    }
    const { method, headers, url } = given
    const passed = request(new URL(url ?? '/', target), { method, headers }, (reply) => {
      answer.writeHead(reply.statusCode ?? 502, reply.headers)
      reply.pipe(answer)
    })
    passed.on('error', () => answer.destroy())
    passed.end(body)
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return Object.assign(proxy, {
    url,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  })
}
