import { setTimeout as sleep } from 'node:timers/promises'
import { answersPing } from './answers.js'
import { findProgram, libraryPath } from './find-program.js'
import { freePort, LOOPBACK, listens } from './ports.js'
import { tell, tellBytes } from './redis-acl.js'
import { startOwn } from './server.js'
import type { Engine, Place, Server } from './types.js'

const SLOTS = 16_384
const PATIENCE_MS = 30_000
const PAUSE_MS = 25
const MIGRATE_MS = 5_000

const settings = {
  bind: LOOPBACK,
  appendonly: 'yes',
  save: '',
  'cluster-enabled': 'yes',
  'cluster-announce-ip': LOOPBACK,
  // Long enough for a busy machine; a node that is gone for longer fails the whole cluster.
  'cluster-node-timeout': '5000',
}

export interface RedisClusterOptions {
  /** How many masters, 3 without it. */
  readonly nodes?: number
  /** The directives of redis.conf for every node. */
  readonly settings?: Place['settings']
}

export interface MoveOptions {
  /** Runs after each key that has moved, the last one too, while the slot has two homes. */
  readonly betweenKeys?: () => Promise<void>
}

export interface RedisCluster extends AsyncDisposable {
  readonly nodes: readonly Server[]
  readonly urls: readonly string[]
  /** Moves a slot with its keys, one by one, to another node; without effect where that node has it already. */
  moveSlot(slot: number, toIndex: number, options?: MoveOptions): Promise<void>
  /** Which node has the slot, as an index of `nodes`; asks the first node that runs. */
  ownerOf(slot: number): Promise<number>
  /** Waits until every node accepts commands; one that was started again refuses them for two seconds. */
  agreed(): Promise<void>
  stop(): Promise<void>
}

interface Node {
  readonly server: Server
  /** Where the nodes talk to each other. */
  readonly busPort: () => number
  readonly id: string
}

/** A cluster of masters without replicas, each with an even share of the slots, that has agreed on its state. */
export async function startRedisCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  const starts = Array.from({ length: options.nodes ?? 3 }, () => startNode(options.settings ?? {}))
  const outcomes = await Promise.allSettled(starts)
  const nodes = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  const stop = async (): Promise<void> => void (await Promise.all(nodes.map(({ server }) => server.stop())))
  try {
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    await join(nodes)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    nodes: nodes.map(({ server }) => server),
    urls: nodes.map(({ server }) => server.url),
    moveSlot: (slot, toIndex, moving = {}) => moveSlot(nodes, slot, toIndex, moving),
    ownerOf: (slot) => ownerOf(nodes, slot),
    agreed: () => agreed(nodes),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

async function startNode(more: Place['settings']): Promise<Node> {
  let port = 0
  let busPort = 0
  const engine: Engine<'redis'> = {
    name: 'redis',
    label: 'Redis Cluster node',
    fix: 'Install redis-server 7 or later (Debian: apt-get install redis-server; macOS: brew install redis).',
    stopSignal: 'SIGTERM',
    orphanSignal: 'SIGKILL',
    command: async (place) => {
      // A node that is started again keeps both of its ports; one whose port was taken gets two others.
      if (place.port !== port) busPort = await freePort()
      port = place.port
      const { program, root } = await findProgram(
        'redis-server',
        ['redis-server', 'redis-tools'],
        'usr/bin/redis-server',
      )
      const ours = { 'cluster-port': String(busPort), port: String(port), dir: place.folder, daemonize: 'no' }
      const all = Object.entries({ ...settings, ...place.settings, ...ours })
      return { program, args: all.flatMap(([name, value]) => [`--${name}`, value]), env: libraryPath(root) }
    },
    ready: async (place, pid) => (await answersPing(place.port)) && (await listens(pid, place.port)),
    url: (place) => `redis://${LOOPBACK}:${place.port}`,
  }
  const server = await startOwn(engine, more)
  return { server, busPort: () => busPort, id: String(await tell(server.port, 'CLUSTER', 'MYID')) }
}

async function join(nodes: readonly Node[]): Promise<void> {
  const share = Math.ceil(SLOTS / nodes.length)
  for (const [index, { server }] of nodes.entries()) {
    // Two nodes with one epoch quarrel about it after they have met.
    await tell(server.port, 'CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
    const last = Math.min((index + 1) * share, SLOTS) - 1
    await tell(server.port, 'CLUSTER', 'ADDSLOTSRANGE', index * share, last)
  }
  // Everybody meets everybody: hearsay takes seconds.
  for (const [index, { server }] of nodes.entries()) {
    for (const other of nodes.slice(index + 1)) {
      await tell(server.port, 'CLUSTER', 'MEET', LOOPBACK, other.server.port, other.busPort())
    }
  }
  await agreed(nodes)
}

async function agreed(nodes: readonly Node[]): Promise<void> {
  await Promise.all(nodes.map(({ server }) => sees(server, nodes.length)))
}

/** Waits until a node knows all of the others and every slot's owner. */
async function sees({ port }: Server, nodes: number): Promise<void> {
  const wanted = [
    'cluster_state:ok',
    `cluster_slots_ok:${SLOTS}`,
    `cluster_known_nodes:${nodes}`,
    `cluster_size:${nodes}`,
  ]
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    const info = String(await tell(port, 'CLUSTER', 'INFO')).split('\r\n')
    if (wanted.every((line) => info.includes(line))) return
    if (Date.now() > deadline) throw new Error(`the cluster has no state after ${PATIENCE_MS} ms: ${info.join(' ')}`)
    await sleep(PAUSE_MS)
  }
}

/** From and to a slot, then the port and the id of each node that has them, the master first. */
type SlotRange = [from: number, to: number, master: [host: string, port: number, id: string]]

async function ownerOf(nodes: readonly Node[], slot: number): Promise<number> {
  const ranges = await slotRanges(nodes)
  const id = ranges.find(([from, to]) => slot >= from && slot <= to)?.[2][2]
  const index = nodes.findIndex((node) => node.id === id)
  if (index < 0) throw new Error(`no node of this cluster has slot ${slot}`)
  return index
}

async function slotRanges(nodes: readonly Node[]): Promise<SlotRange[]> {
  let failure: unknown
  for (const { server } of nodes) {
    try {
      return (await tell(server.port, 'CLUSTER', 'SLOTS')) as SlotRange[]
    } catch (error) {
      failure = error
    }
  }
  throw failure
}

async function moveSlot(nodes: readonly Node[], slot: number, toIndex: number, options: MoveOptions): Promise<void> {
  const from = nodes[await ownerOf(nodes, slot)]
  const to = nodes[toIndex]
  if (from === undefined || to === undefined) throw new Error(`the cluster has no node ${toIndex}`)
  if (from === to) return
  const setSlot = ({ server }: Node, state: string, { id }: Node): Promise<unknown> =>
    tell(server.port, 'CLUSTER', 'SETSLOT', slot, state, id)
  // In this order: whoever is sent on must be awaited.
  await setSlot(to, 'IMPORTING', from)
  await setSlot(from, 'MIGRATING', to)
  await moveKeys(from.server, to.server, slot, options)
  // The new owner first: the old one would send clients to a node that does not accept them yet.
  const others = nodes.filter((node) => node !== from && node !== to)
  for (const node of [to, from, ...others]) await setSlot(node, 'NODE', to)
}

async function moveKeys(from: Server, to: Server, slot: number, { betweenKeys }: MoveOptions): Promise<void> {
  for (;;) {
    const keys = await tellBytes(from.port, 'CLUSTER', 'GETKEYSINSLOT', slot, 1)
    const key = Array.isArray(keys) ? keys[0] : undefined
    if (!Buffer.isBuffer(key)) return
    await tell(from.port, 'MIGRATE', LOOPBACK, to.port, key, 0, MIGRATE_MS)
    await betweenKeys?.()
  }
}
