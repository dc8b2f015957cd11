import { join } from 'node:path'
import { connect } from 'node:tls'
import { type Authority, makeAuthority } from '../support/certificates.js'
import { findProgram, libraryPath } from './find-program.js'
import { LOOPBACK, listens } from './ports.js'
import { type Argument, converse } from './redis-acl.js'
import { startOwn } from './server.js'
import type { Engine, Place, Server } from './types.js'
import { writePrivately } from './user.js'

export interface RedisTls extends AsyncDisposable {
  readonly server: Server
  /** The certificate of the authority that signed the server's own, as PEM. */
  readonly authority: string
  /** `rediss:`; the certificate is for 127.0.0.1 and for localhost. */
  readonly url: string
  stop(): Promise<void>
}

/** A Redis that speaks TLS alone and asks clients for no certificate; `settings` are the directives of redis.conf. */
export async function startRedisTls(settings: Place['settings'] = {}): Promise<RedisTls> {
  const authority = makeAuthority()
  const server = await startOwn(engineFor(authority), settings)
  const stop = (): Promise<void> => server.stop()
  return { server, authority: authority.certificate, url: server.url, stop, [Symbol.asyncDispose]: stop }
}

/** `tell` over TLS; throws what the TLS handshake throws where the server's certificate is not of the authority. */
export async function tellTls(port: number, authority: string, ...args: readonly Argument[]): Promise<unknown> {
  const reply = await converse(connect({ host: LOOPBACK, port, ca: authority }), [args])
  return Buffer.isBuffer(reply) ? reply.toString() : reply
}

function engineFor(authority: Authority): Engine<'redis'> {
  return {
    name: 'redis',
    label: 'Redis with TLS',
    fix: 'Install a redis-server that was built with TLS (Debian: apt-get install redis-server; macOS: brew install redis).',
    stopSignal: 'SIGTERM',
    orphanSignal: 'SIGKILL',
    prepare: async ({ folder }) => {
      const { certificate, key } = authority.issue('localhost', LOOPBACK)
      await writePrivately(join(folder, 'authority.crt'), authority.certificate)
      await writePrivately(join(folder, 'server.crt'), certificate)
      await writePrivately(join(folder, 'server.key'), key)
    },
    command: async (place) => {
      const { program, root } = await findProgram(
        'redis-server',
        ['redis-server', 'redis-tools'],
        'usr/bin/redis-server',
      )
      const args = Object.entries(settingsOf(place)).flatMap(([name, value]) => [`--${name}`, value])
      return { program, args, env: libraryPath(root) }
    },
    ready: async ({ port }, pid) => {
      const answer = await tellTls(port, authority.certificate, 'PING').catch(() => undefined)
      return answer === 'PONG' && (await listens(pid, port))
    },
    url: ({ port }) => `rediss://${LOOPBACK}:${port}`,
  }
}

function settingsOf(place: Place): Record<string, string> {
  return {
    bind: LOOPBACK,
    appendonly: 'yes',
    save: '',
    'tls-auth-clients': 'no',
    'tls-cert-file': join(place.folder, 'server.crt'),
    'tls-key-file': join(place.folder, 'server.key'),
    'tls-ca-cert-file': join(place.folder, 'authority.crt'),
    ...place.settings,
    port: '0',
    'tls-port': String(place.port),
    dir: place.folder,
    daemonize: 'no',
  }
}
