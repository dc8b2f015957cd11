// `npx tsx scripts/bench-integrations.ts [--quick]`: requests through the integrations of Express and Nest against handlers
// that call the memory by hand, over real HTTP, on one SQLite file, in the same run, in turn; medians.
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Memory } from '../src/contract/memory.js'
import { createBackend } from '../src/index.js'
import * as apps from './bench/http-apps.js'
import { compare, print, type Result } from './bench/measure.js'
import { sentences } from './bench/sentences.js'

const quick = process.argv.includes('--quick')
const text = sentences()
const folder = await mkdtemp(join(tmpdir(), 'bruno-bench-'))
const memory = createBackend('sqlite', { databasePath: join(folder, 'memory.db'), tenancy: 'required' }) as Memory
const reading = Array.from({ length: 20 }, () => ({ role: 'user' as const, content: text() }))
await memory.forTenant('acme').messages.append('read', reading, { userId: 'ada' })

/** A client with one connection that it keeps. */
function client(server: Server) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const { port } = server.address() as AddressInfo
  const ask = (method: string, path: string, body = ''): Promise<string> =>
    new Promise((resolve, reject) => {
      const typed = body && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
      const headers = { 'x-tenant-id': 'acme', ...(typed || {}) }
      const sent = request({ agent, host: '127.0.0.1', port, method, path, headers }, (response) => {
        let answer = ''
        response.on('data', (chunk) => {
          answer += chunk
        })
        response.on('end', () => (response.statusCode === 200 ? resolve(answer) : reject(new Error(answer))))
      })
      sent.on('error', reject)
      sent.end(body)
    })
  return {
    read: () => ask('GET', '/chats/read'),
    write: () => ask('POST', '/chats/write', JSON.stringify({ content: text() })),
  }
}

type App = (memory: Memory) => Promise<Server>

async function measure(name: string, ours: App, raw: App, kinds: readonly ('read' | 'write')[]): Promise<Result[]> {
  const servers = [await ours(memory), await raw(memory)] as const
  const [a, b] = [client(servers[0]), client(servers[1])]
  const results: Result[] = []
  for (const kind of kinds) {
    const what = kind === 'read' ? 'read 20 messages' : 'store one in a unit'
    const times = { rounds: quick ? 20 : 100, calls: kind === 'read' ? 50 : 20, warm: 600 }
    results.push(await compare({ name: `${name}: ${what}`, goal: 0.95, ...times, ours: a[kind], raw: b[kind] }))
  }
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
  return results
}

const both = ['read', 'write'] as const
print([
  ...(await measure('Express', apps.memoryExpress, apps.bareExpress, both)),
  ...(await measure('Nest, parameter', apps.parameterNest, apps.bareNest, both)),
  ...(await measure('Nest, parameter, against an interceptor', apps.parameterNest, apps.interceptedNest, ['write'])),
  ...(await measure('Nest, injected', apps.injectedNest, apps.bareNest, both)),
])
await memory.close()
await rm(folder, { recursive: true })
