import { createBackend } from '../backend.js'
import type { Memory } from '../contract/memory.js'
import type { FollowerStatus, VerifyReport } from '../contract/upkeep.js'
import type { BrunoMemoryError } from '../errors.js'
import {
  type AttachOutlook,
  attachOutlook,
  checkAttachable,
  type Follower,
  followersToAttach,
  outlookLines,
} from './attach-outlook.js'
import { duration, number } from './format.js'
import { INTERRUPTED, onInterrupt } from './interrupt.js'
import { type CliIo, line, printJson } from './io.js'
import { type Store, withMemory } from './open.js'
import { Progress } from './progress.js'
import { DIFFERENT } from './transfer-report.js'

export interface Attaching {
  readonly store: Store
  /** As given: `semantic=URL`, `cache=URL`. */
  readonly attach: readonly string[]
  readonly embeddings: string | undefined
  readonly dryRun: boolean
  readonly verify: boolean
  readonly force: boolean
  readonly json: boolean
}

/** What became of it. */
interface Attached {
  readonly followers: readonly FollowerStatus[]
  readonly verified: VerifyReport | null
  readonly interrupted: boolean
}

const LOOK_EVERY = 500
/** Milliseconds: who is that close behind is up with those who write meanwhile. */
const CLOSE = 1500
const PAUSE = 100

/** Has a store follow a memory that is in use: it is told of everything that is there, and verified. */
export async function attach(options: Attaching, io: CliIo): Promise<void> {
  const { store, embeddings, dryRun, json } = options
  const followers = followersToAttach(options.attach)
  const started = Date.now()
  const outlook = await attachOutlook(store, {})
  if (!json) for (const text of outlookLines(store, followers, outlook, embeddings)) line(io.stdout, text)
  checkAttachable(followers, outlook, options)
  const nothing: Attached = { followers: [], verified: null, interrupted: false }
  const attached = dryRun ? nothing : await follow(options, followers, outlook, io)
  const { records, toEmbed, tokens } = outlook
  const seconds = (Date.now() - started) / 1000
  const named = followers.map(({ role, place }) => ({ role, place }))
  const left = leftOf(attached)
  if (json)
    printJson(io, { memory: store.name, attach: named, dryRun, records, toEmbed, tokens, ...attached, left, seconds })
  else if (!dryRun) print(io, attached, left, followers, seconds)
  io.setExitCode(attached.interrupted ? INTERRUPTED : left > 0 ? DIFFERENT : 0)
}

/** What is not in the followers as it is in the memory. */
function leftOf({ followers, verified }: Attached): number {
  const parked = followers.reduce((sum, each) => sum + each.parked, 0)
  if (!verified) return parked
  return parked + verified.missing + verified.orphan + verified.stale + (verified.cache?.stale ?? 0)
}

async function follow(
  { store, embeddings, verify, json }: Attaching,
  followers: readonly Follower[],
  outlook: AttachOutlook,
  io: CliIo,
): Promise<Attached> {
  const together = Object.fromEntries(followers.map(({ role, url }) => [role, url]))
  if (together.cache !== undefined) await mustAnswer(together.cache)
  const progress = new Progress(io, 'records', json)
  const interrupt = onInterrupt(() => line(io.stderr, 'stopping after this batch (Ctrl-C again ends at once)'))
  const options = { ...(embeddings !== undefined && { embeddings }), together: { ...together, settle: 'off' as const } }
  try {
    return await withMemory(store, options, async (memory) => {
      await settled(memory, followers, outlook, { progress, signal: interrupt.signal })
      const interrupted = interrupt.signal.aborted
      const verified = verify && !interrupted ? await verifying(memory, progress) : null
      return { followers: await memory.followers(), verified, interrupted }
    })
  } finally {
    progress.stop()
    interrupt.dispose()
  }
}

/** A cache that is away would be waited for without end. */
async function mustAnswer(url: string): Promise<void> {
  await using cache = createBackend(url)
  await cache.connect()
}

const verifying = (memory: Memory, progress: Progress): Promise<VerifyReport> =>
  memory.verify({ onProgress: ({ read, total }) => progress.update(read, total, 'verifying') })

interface Watching {
  readonly progress: Progress
  readonly signal: AbortSignal
}

/** Until the followers are up with the memory, or nearly: those who write meanwhile never end. */
async function settled(
  memory: Memory,
  followers: readonly Follower[],
  outlook: AttachOutlook,
  { progress, signal }: Watching,
): Promise<void> {
  const behind = async () =>
    (await memory.followers()).filter(({ kind }) => followers.some(({ role }) => role === kind))
  const depth = async () => (await behind()).reduce((sum, each) => sum + each.depth, 0)
  const first = await depth()
  const watch = setInterval(() => {
    void depth().then(
      (left) => progress.update(Math.max(0, first - left), first, 'telling'),
      () => undefined,
    )
  }, LOOK_EVERY)
  try {
    while (!signal.aborted) {
      await Promise.race([memory.settle({ deadline: 2 ** 31 - 1 }), aborted(signal)])
      if ((await behind()).every((each) => each.depth === 0 || each.oldestAge < CLOSE)) return
      await new Promise((resolve) => setTimeout(resolve, PAUSE))
    }
  } catch (error) {
    await detach(memory, followers, outlook, first === (await depth()), error)
    throw error
  } finally {
    clearInterval(watch)
  }
}

/** A store that never answered is not left on record, where every write would be kept for it. */
async function detach(
  memory: Memory,
  followers: readonly Follower[],
  { present }: AttachOutlook,
  nothingTold: boolean,
  error: unknown,
): Promise<void> {
  if (!nothingTold || !['connection', 'timeout'].includes((error as Partial<BrunoMemoryError>).code ?? '')) return
  for (const { role } of followers) if (present[role] === undefined) await memory.unfollow(role).catch(() => false)
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })

function print(
  io: CliIo,
  { followers, verified, interrupted }: Attached,
  left: number,
  wanted: readonly Follower[],
  seconds: number,
): void {
  if (interrupted) {
    line(
      io.stdout,
      'stopped: run the same command again to go on, or end it with `bruno-memory settle --unfollow NAME`',
    )
    return
  }
  for (const { follower, depth, parked } of followers) {
    const refused = parked > 0 ? `, ${number(parked)} were refused (bruno-memory settle --requeue)` : ''
    line(io.stdout, `${follower} follows, ${number(depth)} still to be told${refused}`)
  }
  if (verified?.follower)
    line(
      io.stdout,
      `${number(verified.expected)} records have a vector, ${number(verified.found)} are in the semantic store`,
    )
  line(
    io.stdout,
    left === 0
      ? verified
        ? 'nothing differs'
        : 'not verified'
      : `${number(left)} differ (bruno-memory verify names them, repair mends them)`,
  )
  line(io.stdout, `done in ${duration(seconds * 1000)}. Now name it wherever the memory is opened:`)
  for (const { role } of wanted)
    line(io.stdout, `  createMemory({ …, ${role}: … }), or BRUNO_MEMORY_${role.toUpperCase()}_URL with createFromEnv()`)
  line(io.stdout, 'until then what is written waits for it; `bruno-memory settle --watch` tells it as well')
}
