import { createHash } from 'node:crypto'
import type { DistanceMetric, EmbeddingSpace } from '../../contract/embedder.js'
import type { QdrantOptions } from '../../contract/options.js'
import { ConfigurationError } from '../../errors.js'
import { compareSpaces, readSpace } from '../vector/space.js'
import type { WantedSpace } from '../vector/store.js'
import type { QdrantClient } from './client.js'
import { INDEXES } from './payload.js'

/** Of what stands in a collection, and how. */
const LAYOUT = 1
const DISTANCES: Readonly<Record<DistanceMetric, string>> = { cosine: 'Dot', dot: 'Dot', euclidean: 'Euclid' }

/** What is read of a collection. */
interface Info {
  readonly config?: {
    readonly params?: { readonly vectors?: { readonly size?: unknown; readonly distance?: unknown } }
    readonly metadata?: Readonly<Record<string, unknown>>
  }
  readonly payload_schema?: Readonly<Record<string, unknown>>
}

export const pathOf = (name: string): string => `/collections/${encodeURIComponent(name)}`

export const hashed = (tenantId: string): string => createHash('sha256').update(tenantId).digest('hex').slice(0, 32)

/** Null where the server says that there is none; whatever else goes wrong is an error. */
const readInfo = async (client: QdrantClient, name: string): Promise<Info | null> =>
  (await client.call<Info>({ method: 'GET', path: pathOf(name), accept: [404] })) ?? null

const without = (fields: object): object =>
  Object.fromEntries(Object.entries(fields).filter(([, v]) => v !== undefined))

function quantizationOf({ quantization }: QdrantOptions): object | undefined {
  if (!quantization) return undefined
  const { type, alwaysRam } = quantization
  const ram = { always_ram: alwaysRam }
  if (type === 'scalar') return { scalar: without({ type: 'int8', quantile: quantization.quantile, ...ram }) }
  if (type === 'product') return { product: without({ compression: quantization.compression, ...ram }) }
  return { binary: without(ram) }
}

/** A collection as the options want it. */
function creation(options: QdrantOptions, space: EmbeddingSpace, mark: object): object {
  const { hnsw = {}, onDisk, onDiskPayload, shardNumber, replicationFactor, writeConsistencyFactor } = options
  const graph = without({
    m: hnsw.m,
    payload_m: hnsw.payloadM,
    ef_construct: hnsw.efConstruct,
    full_scan_threshold: hnsw.fullScanThreshold,
    on_disk: hnsw.onDisk,
  })
  return without({
    vectors: without({ size: space.dimensions, distance: DISTANCES[space.metric], on_disk: onDisk }),
    hnsw_config: Object.keys(graph).length > 0 ? graph : undefined,
    quantization_config: quantizationOf(options),
    on_disk_payload: onDiskPayload,
    shard_number: shardNumber,
    replication_factor: replicationFactor,
    write_consistency_factor: writeConsistencyFactor,
    sharding_method: options.tenantsBy === 'shard' ? 'custom' : undefined,
    metadata: { bruno_memory: { layout: LAYOUT, space, ...mark } },
  })
}

const foreign = (name: string, why: string): ConfigurationError =>
  new ConfigurationError(
    `the collection ${JSON.stringify(name)} ${why}: name another one with the option collectionName`,
  )

type Mark = Readonly<Record<string, unknown>>

const markIn = (info: Info | null): Mark | null => (info?.config?.metadata?.bruno_memory ?? null) as Mark | null

/** What this library has marked a collection with; null where there is none, or it is somebody else's. */
export const markOf = async (client: QdrantClient, name: string): Promise<Mark | null> =>
  markIn(await readInfo(client, name))

/** What the collection is marked with, and the space of its vectors. */
function check(name: string, info: Info, mark: object): EmbeddingSpace {
  const ours = markIn(info)
  if (!ours) throw foreign(name, 'was not made by this library')
  if (ours.layout !== LAYOUT) throw foreign(name, 'was made by another version of this library')
  for (const [key, value] of Object.entries(mark)) if (ours[key] !== value) throw foreign(name, `is of another ${key}`)
  const space = readSpace(ours.space)
  if (!space) throw foreign(name, 'does not say what its vectors are')
  const { size, distance } = info.config?.params?.vectors ?? {}
  if (size !== space.dimensions || distance !== DISTANCES[space.metric])
    throw foreign(name, 'has other vectors than it says')
  return space
}

/** The space of a collection, which must be there and stays as it is. */
export async function existingSpace(client: QdrantClient, name: string): Promise<EmbeddingSpace> {
  const info = await readInfo(client, name)
  if (!info) throw new ConfigurationError(`there is no collection ${JSON.stringify(name)}`)
  return check(name, info, {})
}

/** Adds the indexes that are missing; those of another process that opens at the same moment are no error. */
async function index(client: QdrantClient, name: string, { payload_schema: known = {} }: Info): Promise<void> {
  const path = `${pathOf(name)}/index?wait=true`
  const missing = Object.entries(INDEXES).filter(([field]) => !(field in known))
  await Promise.all(
    missing.map(([field_name, field_schema]) =>
      client.call({ method: 'PUT', path, body: { field_name, field_schema }, writes: true }),
    ),
  )
}

/**
 * The space of a collection, which is made if it is absent.
 *
 * @param mark What must stand on the collection beside its space.
 * @param shards Makes its shards, where they are not made with it.
 */
export async function ensureCollection(
  client: QdrantClient,
  options: QdrantOptions,
  name: string,
  wanted: WantedSpace,
  dimensions: () => Promise<number>,
  mark: object = {},
  shards: () => Promise<void> = async () => undefined,
): Promise<EmbeddingSpace> {
  let info = await readInfo(client, name)
  if (!info) {
    const space = { ...wanted, dimensions: wanted.dimensions ?? (await dimensions()) }
    const body = creation(options, space, mark)
    // Another process may make it at the same moment (409): then it is looked at.
    await client.call({ method: 'PUT', path: pathOf(name), body, accept: [409], writes: true })
    info = await readInfo(client, name)
  }
  if (!info) throw foreign(name, 'is gone as soon as it is made')
  const space = check(name, info, mark)
  compareSpaces(space, wanted, 'another collection by the option collectionName')
  await shards()
  await index(client, name, info)
  return space
}
