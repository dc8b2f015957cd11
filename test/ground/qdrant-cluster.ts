import { setTimeout as sleep } from 'node:timers/promises'
import { answersHttp } from './answers.js'
import { freePort, LOOPBACK, listens } from './ports.js'
import { qdrant } from './qdrant.js'
import { startOwn } from './server.js'
import type { Engine, Place, Server } from './types.js'

const PATIENCE_MS = 30_000
const PAUSE_MS = 50
const ANSWER_MS = 2_000

export interface QdrantClusterOptions {
  /** How many nodes, 3 without it. */
  readonly nodes?: number
  /** Qdrant's environment variables for every node; an API key among them is used to ask the nodes about the cluster. */
  readonly settings?: Place['settings']
}

export interface QdrantCluster extends AsyncDisposable {
  /** The first is the one that the others have joined. */
  readonly nodes: readonly Server[]
  readonly urls: readonly string[]
  /** Waits until every node knows all of them and a leader; one that was started again is not told of it at once. */
  agreed(): Promise<void>
  /** Waits until every node takes each replica of a collection for active: nothing of it is still being copied. */
  replicated(collection: string): Promise<void>
  stop(): Promise<void>
}

interface Node {
  readonly server: Server
  /** Where the nodes talk to each other. */
  readonly peerUrl: () => string
}

/** Nodes of one cluster, which have agreed on who they are. */
export async function startQdrantCluster(options: QdrantClusterOptions = {}): Promise<QdrantCluster> {
  const { nodes: count = 3, settings = {} } = options
  const nodes: Node[] = []
  const stop = async (): Promise<void> => void (await Promise.all(nodes.map(({ server }) => end(server))))
  const ask = askWith(settings)
  const all = async (what: string, holds: (url: string) => Promise<boolean>): Promise<void> =>
    void (await Promise.all(nodes.map(({ server }) => until(`${what} at ${server.url}`, () => holds(server.url)))))
  const agreed = (): Promise<void> =>
    all(`${nodes.length} peers and a leader`, async (url) => isWhole(await ask(`${url}/cluster`), nodes.length))
  try {
    // One after the other: the cluster takes in one node at a time.
    while (nodes.length < count) nodes.push(await startNode(settings, nodes[0]?.peerUrl()))
    await agreed()
  } catch (error) {
    await stop()
    throw error
  }
  return {
    nodes: nodes.map(({ server }) => server),
    urls: nodes.map(({ server }) => server.url),
    agreed,
    replicated: (collection) =>
      all(`every replica of ${collection}`, async (url) =>
        isReplicated(await ask(`${url}/collections/${encodeURIComponent(collection)}/cluster`)),
      ),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** An orderly end waits seconds for clients that keep their connections, and the folders go in any case. */
async function end(server: Server): Promise<void> {
  await server.kill()
  await server.stop()
}

async function startNode(settings: Place['settings'], joined?: string): Promise<Node> {
  let port = 0
  let peerPort = 0
  const peerUrl = (): string => `http://${LOOPBACK}:${peerPort}`
  const engine: Engine<'qdrant'> = {
    ...qdrant,
    label: 'Qdrant cluster node',
    command: async (place) => {
      // A node that is started again keeps both of its ports; one whose port was taken gets two others.
      if (place.port !== port) peerPort = await freePort()
      port = place.port
      const cluster = {
        QDRANT__CLUSTER__ENABLED: 'true',
        QDRANT__CLUSTER__P2P__PORT: String(peerPort),
      }
      const tick = { QDRANT__CLUSTER__CONSENSUS__TICK_PERIOD_MS: '100' }
      const command = await qdrant.command({ ...place, settings: { ...tick, ...place.settings, ...cluster } })
      // Without effect on a node that is started again: it remembers the others.
      const bootstrap = joined === undefined ? [] : ['--bootstrap', joined]
      return { ...command, args: [...command.args, '--uri', peerUrl(), ...bootstrap] }
    },
    // Not /readyz, which waits for the others: a cluster that was killed whole is started node by node.
    ready: async (place, pid) => (await answersHttp(place.port, '/livez')) && (await listens(pid, place.port)),
  }
  return { server: await startOwn(engine, settings), peerUrl }
}

interface ClusterInfo {
  readonly peers: Readonly<Record<string, unknown>>
  readonly raft_info: { readonly leader: number | null; readonly pending_operations: number }
  readonly consensus_thread_status: { readonly consensus_thread_status: string }
}

interface CollectionInfo {
  readonly local_shards: readonly { readonly state: string }[]
  readonly remote_shards: readonly { readonly state: string }[]
  readonly shard_transfers: readonly unknown[]
}

const isWhole = (info: ClusterInfo, count: number): boolean =>
  Object.keys(info.peers).length === count &&
  (info.raft_info.leader ?? 0) !== 0 &&
  info.consensus_thread_status.consensus_thread_status === 'working'

const isReplicated = ({ local_shards, remote_shards, shard_transfers }: CollectionInfo): boolean =>
  shard_transfers.length === 0 && [...local_shards, ...remote_shards].every(({ state }) => state === 'Active')

type Ask = <Answer>(url: string) => Promise<Answer>

function askWith(settings: Place['settings']): Ask {
  const key = settings.QDRANT__SERVICE__API_KEY
  const headers: Record<string, string> = key === undefined ? {} : { 'api-key': key }
  return async <Answer>(url: string) => {
    const answer = await fetch(url, { headers, signal: AbortSignal.timeout(ANSWER_MS) })
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`)
    return ((await answer.json()) as { result: Answer }).result
  }
}

/** Asks until it holds; a request that fails is asked again. */
async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  for (let failure: unknown; ; await sleep(PAUSE_MS)) {
    try {
      if (await holds()) return
      failure = undefined
    } catch (error) {
      failure = error
    }
    if (Date.now() > deadline) throw new Error(`no ${what} after ${PATIENCE_MS} ms`, { cause: failure })
  }
}
