import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { HttpClient } from '../../src/backends/vector/http.js'
import { failure } from '../conformance/expecting.js'

type Answer = 'reset' | 'away' | number

/** Answers calls by these, one after the other, and all others by the last. Once away, nothing listens any more. */
async function clientOf(answers: readonly Answer[]): Promise<HttpClient> {
  let calls = 0
  const server = createServer((_, response) => {
    answer(server, response, answers[calls++] ?? (answers.at(-1) as Answer))
    if (answers[calls] === 'away') server.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  if (answers[0] === 'away') server.close()
  const client = new HttpClient({
    name: 'the engine',
    secure: false,
    host: '127.0.0.1',
    port: () => port,
    headers: {},
    callTimeout: 300,
  })
  onTestFinished(() => {
    client.close()
    server.close()
    server.closeAllConnections()
  })
  return client
}

function answer(server: Server, response: ServerResponse, what: Answer): void {
  if (typeof what !== 'number') return void response.socket?.destroy()
  response.statusCode = what
  // The next attempt is a connection of its own, which an engine that is away refuses.
  response.setHeader('connection', 'close')
  response.end('{}', () => server.closeIdleConnections())
}

it.each([
  { answers: ['away'], code: 'connection', write: 'none' },
  { answers: ['reset'], code: 'connection', write: 'unknown' },
  { answers: ['reset', 'away'], code: 'connection', write: 'unknown' },
  { answers: [500, 'away'], code: 'connection', write: 'unknown' },
  { answers: [503, 'away'], code: 'connection', write: 'none' },
  { answers: ['reset', 401], code: 'connection', write: 'unknown' },
  { answers: [401], code: 'connection', write: 'none' },
  { answers: ['reset', 503], code: 'connection', write: 'unknown' },
] as const)('a write answered by $answers may have been made, or was not, and says which', async (each) => {
  const call = { method: 'POST', path: '/', body: '{}' } as const
  const { answers, code, write } = each
  const error = await failure((await clientOf(answers)).call({ ...call, writes: true }))
  expect(error).toMatchObject({ code, outcome: write })
  const read = await failure((await clientOf(answers)).call(call))
  expect((read as { outcome?: string }).outcome ?? 'none').toBe('none')
})

it('an overload from the first attempt on says that nothing was begun', async () => {
  const client = await clientOf([503])
  expect(await failure(client.call({ method: 'POST', path: '/', writes: true }))).toMatchObject({ code: 'overloaded' })
})
