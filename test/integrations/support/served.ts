import { mkdtemp, rm } from 'node:fs/promises'
import { type IncomingMessage, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBackend } from '../../../src/backend.js'
import type { Memory } from '../../../src/contract/memory.js'
import { type Gate, gate } from '../../support/gate.js'

/** Lets a test stop a handler between its write and its answer. */
export interface Control {
  readonly arrived: Gate
  readonly go: Gate
}

export const control = (): Control => ({ arrived: gate(), go: gate() })

/** What an application under test is made of. */
export interface Parts {
  readonly memory: Memory
  readonly control: Control
  /** Counts requests to `/limited`, three a minute. */
  readonly limits?: Memory | undefined
  /** Milliseconds that a unit may take. */
  readonly deadline?: number | undefined
}

export interface Served {
  readonly url: string
  readonly server: Server
  /** Ends it as its integration does at a shutdown, memory included. */
  readonly shutdown: () => Promise<void>
}

/**
 * An application with the routes that the tests speak to, by its framework:
 *
 * - `POST /chats/:id?then=…` stores a message in a unit and then does what `then` says
 * - `GET /chats/:id` answers the contents, without a unit
 * - `GET /limited`
 * - `GET /health/live`, `GET /health/ready`
 *
 * The tenant is in the header `x-tenant-id`, the user in `x-user`.
 */
export type Serve = (parts: Parts) => Promise<Served>

export const urlOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

export async function stop(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}

/** A memory in a file of its own. */
export async function fileMemory(): Promise<{ memory: Memory; path: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'bruno-http-'))
  const path = join(folder, 'memory.db')
  const memory = createBackend('sqlite', { databasePath: path, tenancy: 'required', writeTimeout: 5000 }) as Memory
  await memory.connect()
  const remove = async () => {
    await memory.close()
    await rm(folder, { recursive: true, force: true })
  }
  return { memory, path, remove }
}

export interface Said {
  readonly status: number
  readonly type: string
  readonly headers: Headers
  readonly text: string
  readonly json: unknown
}

export interface Saying {
  readonly tenant?: string
  readonly user?: string
  readonly key?: string
  readonly content?: string
  readonly signal?: AbortSignal
  readonly method?: string
}

/** A client of one server. */
export const client = (url: string) => {
  const call = async (
    path: string,
    { tenant = 'acme', user, key, content, signal, method }: Saying = {},
  ): Promise<Said> => {
    const headers: Record<string, string> = { 'x-tenant-id': tenant }
    if (user !== undefined) headers['x-user'] = user
    if (key !== undefined) headers['idempotency-key'] = key
    if (content !== undefined) headers['content-type'] = 'application/json'
    const response = await fetch(url + path, {
      method: method ?? (content === undefined ? 'GET' : 'POST'),
      headers,
      redirect: 'manual',
      ...(content !== undefined && { body: JSON.stringify({ content }) }),
      ...(signal && { signal }),
    })
    const text = await response.text()
    const type = response.headers.get('content-type')?.split(';')[0] ?? ''
    return {
      status: response.status,
      type,
      headers: response.headers,
      text,
      json: /json$/.test(type) ? JSON.parse(text) : null,
    }
  }
  const say = (chat: string, content: string, then = 'ok', more: Saying = {}) =>
    call(`/chats/${chat}?then=${then}`, { content, ...more })
  const heard = async (chat: string, tenant = 'acme') => (await call(`/chats/${chat}`, { tenant })).json
  return { call, say, heard }
}

/** A request whose headers are sent as they stand, also twice. */
export const raw = (
  url: string,
  headers: Record<string, string | string[]>,
): Promise<{ status: number; body: string }> =>
  new Promise((resolve, reject) => {
    const sent = request(`${url}/chats/a`, { headers }, (response: IncomingMessage) => {
      let body = ''
      response.on('data', (chunk) => {
        body += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
    })
    sent.on('error', reject)
    sent.end()
  })
