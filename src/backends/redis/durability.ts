import type { Cluster, Redis } from 'ioredis'
import type { Capabilities } from '../../contract/capabilities.js'
import { ConfigurationError } from '../../errors.js'
import type { Connection } from './connect.js'

type Durability = Capabilities['durability']
const RANK: readonly Durability[] = ['none', 'process', 'power']

const isCluster = (connection: Connection): connection is Cluster => 'nodes' in connection

async function settingsOf(node: Redis): Promise<ReadonlyMap<string, string>> {
  try {
    const flat = (await node.config('GET', 'appendonly', 'appendfsync', 'maxmemory-policy')) as string[]
    return new Map(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] as string] as const] : [])))
  } catch {
    // A user who may not ask for the settings may still see what the server tells of itself.
    const info = await node.info().catch(() => '')
    const of = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? ''
    return new Map([
      ['appendonly', of('aof_enabled') === '1' ? 'yes' : 'no'],
      ['maxmemory-policy', of('maxmemory_policy')],
    ])
  }
}

/** What a server promises of a write that it has acknowledged. */
export function durabilityOf(settings: ReadonlyMap<string, string>): Durability {
  if (settings.get('appendonly') !== 'yes' || settings.get('maxmemory-policy') !== 'noeviction') return 'none'
  return settings.get('appendfsync') === 'always' ? 'power' : 'process'
}

/**
 * Reads it from the server, in a Cluster from each node: the least of them holds.
 *
 * @throws ConfigurationError where more is wanted than there is.
 */
export async function findDurability(connection: Connection, wanted: Durability): Promise<Durability> {
  const nodes = isCluster(connection) ? connection.nodes('master') : [connection]
  const found = await Promise.all(nodes.map(async (node) => durabilityOf(await settingsOf(node as Redis))))
  const least = RANK.find((each) => found.includes(each)) ?? 'none'
  if (RANK.indexOf(least) < RANK.indexOf(wanted))
    throw new ConfigurationError(
      `durability '${wanted}' was asked for, and this Redis promises '${least}': set appendonly yes, ` +
        `maxmemory-policy noeviction${wanted === 'power' ? ' and appendfsync always' : ''}`,
    )
  return least
}
