import type { RedisOptions as ClientOptions, Cluster, ClusterOptions, Redis } from 'ioredis'
import type { RedisNode, RedisOptions } from '../../contract/options.js'
import { ConfigurationError } from '../../errors.js'
import { defined } from './place.js'

/** What is used of the client: Redis and Cluster both have it. */
export type Connection = Redis | Cluster

/** Milliseconds until the first attempt to connect again, and at most. */
const FIRST_PAUSE = 20
const LAST_PAUSE = 500

const pauseOf = (times: number): number => Math.min(FIRST_PAUSE * 2 ** Math.min(times, 10), LAST_PAUSE)

// Its types want a mapping of replies to be named, which has a default.
interface Client {
  readonly Redis: new (options: ClientOptions) => Redis
  readonly Cluster: new (nodes: readonly RedisNode[], options: ClusterOptions) => Cluster
}

async function loadClient(): Promise<Client> {
  try {
    return (await import('ioredis')) as unknown as Client
  } catch (error) {
    throw new ConfigurationError('Redis needs its client: npm install ioredis', { cause: error })
  }
}

/** The options of one connection. */
function clientOptions(options: RedisOptions): ClientOptions {
  const { tls } = options
  return defined({
    host: options.host ?? '127.0.0.1',
    port: options.port ?? 6379,
    db: options.db ?? 0,
    username: options.username,
    password: options.password,
    tls: tls === true ? {} : tls === false ? undefined : tls,
    connectionName: 'bruno-memory',
    connectTimeout: options.connectTimeout ?? 10_000,
    lazyConnect: true,
    // Whoever calls decides what is sent again; a command of the past must not be sent by itself.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: pauseOf,
    // A half-open line answers nothing and reports nothing.
    socketTimeout: options.callTimeout ?? 10_000,
    // The new primary has another address: the old one must be let go.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  }) as ClientOptions
}

export type MakeConnection = (purpose: 'commands' | 'listening') => Connection

/** Someone who listens hears nothing for a long time, and waits for a connection that comes back. */
const LISTENING = { socketTimeout: undefined, maxRetriesPerRequest: null, enableOfflineQueue: true } as const

function clusterOptions(options: RedisOptions, single: ClientOptions): ClusterOptions {
  const { host: _h, port: _p, db: _d, retryStrategy: _r, enableOfflineQueue: _q, readOnly: _o, ...each } = single
  return {
    redisOptions: each as NonNullable<ClusterOptions['redisOptions']>,
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: pauseOf,
    slotsRefreshTimeout: options.connectTimeout ?? 10_000,
    retryDelayOnTryAgain: 20,
    retryDelayOnClusterDown: 50,
    retryDelayOnFailover: 50,
  }
}

/** A connection to the server that the sentinels name. */
function bySentinels(
  Redis: Client['Redis'],
  options: RedisOptions,
  sentinels: readonly RedisNode[],
  single: ClientOptions,
): Redis {
  const { host: _h, port: _p, ...rest } = single
  let opened = false
  const connection = new Redis({
    ...rest,
    sentinels: [...sentinels],
    name: options.sentinelName ?? 'mymaster',
    ...(options.sentinelPassword !== undefined && { sentinelPassword: options.sentinelPassword }),
    // A sentinel that answers nothing would be waited for without an end.
    sentinelCommandTimeout: options.connectTimeout ?? 10_000,
    // The first attempt would otherwise never fail: the client asks all sentinels in turn, again and again.
    sentinelRetryStrategy: (times) => (opened ? pauseOf(times) : null),
  })
  connection.once('ready', () => {
    opened = true
  })
  return connection
}

/** Makes connections, not open yet, to a server, a Cluster, or where sentinels say. */
export async function connector(options: RedisOptions): Promise<MakeConnection> {
  const { Redis, Cluster } = await loadClient()
  return (purpose) => {
    const single = {
      ...clientOptions(options),
      ...(purpose === 'listening' && LISTENING),
    } as ClientOptions
    if (options.cluster) return new Cluster(options.cluster, clusterOptions(options, single))
    if (!options.sentinels) return new Redis(single)
    return bySentinels(Redis, options, options.sentinels, single)
  }
}
