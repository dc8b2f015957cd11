import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type Authority, makeAuthority } from '../support/certificates.js'
import { LOOPBACK, listens } from './ports.js'
import { qdrant } from './qdrant.js'
import { startOwn } from './server.js'
import type { Engine, Place, Server } from './types.js'
import { writePrivately } from './user.js'

const PATIENCE_MS = 1_000

export interface QdrantTls extends AsyncDisposable {
  readonly server: Server
  /** The certificate of the authority that signed the server's own, as PEM. */
  readonly authority: string
  /** `https:`; the certificate is for 127.0.0.1 and for localhost. */
  readonly url: string
  stop(): Promise<void>
}

/** A Qdrant that speaks TLS alone and asks clients for no certificate; `settings` as those of `startQdrant`. */
export async function startQdrantTls(settings: Place['settings'] = {}): Promise<QdrantTls> {
  const authority = makeAuthority()
  const server = await startOwn(engineFor(authority), settings)
  const stop = (): Promise<void> => server.stop()
  return { server, authority: authority.certificate, url: server.url, stop, [Symbol.asyncDispose]: stop }
}

export interface TlsAnswer {
  readonly status: number
  readonly body: string
}

/** A GET over TLS; throws what the TLS handshake throws where the server's certificate is not of the authority. */
export async function getTls(
  url: string,
  authority: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<TlsAnswer> {
  const asked = request(url, { ca: authority, headers, agent: false, timeout: PATIENCE_MS })
  asked.once('timeout', () => asked.destroy(new Error(`${url} does not answer within ${PATIENCE_MS} ms`)))
  asked.end()
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  return { status: answer.statusCode ?? 0, body: await text(answer) }
}

function engineFor(authority: Authority): Engine<'qdrant'> {
  const url = ({ port }: Place): string => `https://${LOOPBACK}:${port}`
  return {
    ...qdrant,
    label: 'Qdrant with TLS',
    prepare: async (place, run) => {
      await qdrant.prepare?.(place, run)
      const { certificate, key } = authority.issue('localhost', LOOPBACK)
      await writePrivately(join(place.folder, 'server.crt'), certificate)
      await writePrivately(join(place.folder, 'server.key'), key)
    },
    command: (place) => qdrant.command({ ...place, settings: { ...place.settings, ...settingsOf(place) } }),
    ready: async (place, pid) => {
      const answer = await getTls(`${url(place)}/readyz`, authority.certificate).catch(() => undefined)
      return answer?.status === 200 && (await listens(pid, place.port))
    },
    url,
  }
}

function settingsOf({ folder }: Place): Record<string, string> {
  return {
    QDRANT__SERVICE__ENABLE_TLS: 'true',
    QDRANT__TLS__CERT: join(folder, 'server.crt'),
    QDRANT__TLS__KEY: join(folder, 'server.key'),
  }
}
