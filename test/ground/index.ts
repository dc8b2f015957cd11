import { startChroma } from './chroma.js'
import { startPostgresql } from './postgresql.js'
import { startQdrant } from './qdrant.js'
import { startRedis } from './redis.js'
import { type Server, type ServerName, type StartOptions, urlVariables } from './types.js'

export { startChroma } from './chroma.js'
export { ownPostgresql, startPostgresql } from './postgresql.js'
export { startQdrant } from './qdrant.js'
export { startRedis } from './redis.js'
export { type Server, type ServerName, type StartOptions, urlVariables } from './types.js'

const starters = { postgresql: startPostgresql, redis: startRedis, chroma: startChroma, qdrant: startQdrant }

export const serverNames = Object.keys(starters) as readonly ServerName[]

/** URLs under the names of the environment variables that take them; `DATABASE_URL` is PostgreSQL's, for drizzle-kit. */
export interface ServerUrls {
  readonly DATABASE_URL: string
  readonly POSTGRESQL_URL: string
  readonly REDIS_URL: string
  readonly CHROMA_URL: string
  readonly QDRANT_URL: string
}

export interface RunningServers<Urls = Partial<ServerUrls>> extends AsyncDisposable {
  readonly urls: Urls
  readonly servers: readonly Server[]
  stop(): Promise<void>
}

/** Starts the named servers side by side, all four without names. If one fails, none is left running. */
export async function startServers(): Promise<RunningServers<ServerUrls>>
export async function startServers(
  names: readonly ServerName[],
  options?: Pick<StartOptions, 'own'>,
): Promise<RunningServers>
export async function startServers(
  names: readonly ServerName[] = serverNames,
  options: Pick<StartOptions, 'own'> = {},
): Promise<RunningServers> {
  const outcomes = await Promise.allSettled([...new Set(names)].map((name) => starters[name](options)))
  const servers = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as Error] : []))
  const stop = async (): Promise<void> => void (await Promise.all(servers.map((server) => server.stop())))
  if (failures.length > 0) {
    await stop()
    throw new AggregateError(failures, failures.map((failure) => failure.message).join('\n\n'))
  }
  return { urls: urlsOf(servers), servers, stop, [Symbol.asyncDispose]: stop }
}

function urlsOf(servers: readonly Server[]): Partial<ServerUrls> {
  const urls = servers.map((server) => [urlVariables[server.name], server.url] as const)
  const postgresql = servers.find((server) => server.name === 'postgresql')
  return { ...(postgresql === undefined ? {} : { DATABASE_URL: postgresql.url }), ...Object.fromEntries(urls) }
}
