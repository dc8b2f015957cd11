import { setTimeout as sleep } from 'node:timers/promises'
import { SemanticIndex } from '../backends/vector/semantic.js'
import type { VectorSettings } from '../contract/embedder.js'
import type { Followed, FollowerRecord } from '../contract/follow.js'
import type { EmbeddingOptions } from '../contract/options.js'
import type { RebuildOptions, RebuildReport } from '../contract/upkeep.js'
import { ConfigurationError, StorageError } from '../errors.js'
import { ATTENDED, type SemanticParts } from './semantic-member.js'
import { verifyFollower } from './verify.js'

/** Characters of a token, about: a guess that is told before anything is paid for. */
const PER_TOKEN = 4
/** Rounds of verification and repair before what was built is not put to use. */
const ROUNDS = 5
/** Milliseconds for a search that is under way. */
const GRACE = 1000

export interface Rebuilding {
  readonly followed: Followed
  readonly current: FollowerRecord
  readonly parts: SemanticParts
  readonly vectorSettings: (options: EmbeddingOptions) => Promise<VectorSettings>
}

/**
 * Builds a semantic store anew beside the one in use, from the primary: by the vectors that are there, or with another
 * model. It is verified and then put to use in one transaction. Ended half-way it goes on where it was.
 */
export async function rebuild(rebuilding: Rebuilding, options: RebuildOptions): Promise<RebuildReport> {
  const settings = options.embedding ? await rebuilding.vectorSettings(options.embedding) : null
  try {
    return await rebuiltWith(rebuilding, settings, options)
  } finally {
    await settings?.embedder?.close()
  }
}

async function rebuiltWith(
  { followed: present, current, parts }: Rebuilding,
  settings: VectorSettings | null,
  { dryRun = false, dropOld = false, onProgress }: RebuildOptions,
): Promise<RebuildReport> {
  const followed = settings ? await present.beside(settings) : present
  const { records, toEmbed, characters } = await followed.estimate()
  const told = { records, toEmbed: settings ? toEmbed : 0, tokens: settings ? Math.ceil(characters / PER_TOKEN) : 0 }
  const none = { vectors: 0, parked: 0, dropped: false }
  if (dryRun) return { ...told, ...none, generation: current.generation }
  const { space } = followed
  if (!space) throw new ConfigurationError('option embeddingFunction: is required to embed anything')
  const built = await followed.build(current)
  const store = await parts.make(built.generation)
  const opened = await store.open(space, async () => space.dimensions)
  try {
    const index = new SemanticIndex(store, opened, parts)
    const settling = followed.semantic(built, index)
    const settle = () => settled(settling, onProgress)
    try {
      await settle()
      for (let round = 1; ; round++) {
        const verifying = { followed, follower: built.name, store, clock: parts.clock }
        const { missing, orphan, stale, found } = await verifyFollower(verifying, { repair: true })
        const { parked } = await settling.report()
        if (missing + orphan + stale === 0) {
          await followed.promote(built, current)
          if (dropOld) await drop(present, followed, current, parts)
          return { ...told, vectors: found, parked, generation: built.generation, dropped: dropOld }
        }
        if (round === ROUNDS)
          throw new StorageError('what was built does not become what the primary is: it was not put to use')
        await settle()
      }
    } finally {
      await settling.release()
    }
  } finally {
    await store.close()
  }
}

/** Tells what waits now. Whoever writes all the time must not be waited for: verification minds what is still to be told. */
async function settled(
  settling: ReturnType<Followed['semantic']>,
  onProgress: RebuildOptions['onProgress'],
): Promise<void> {
  const { pending: total } = await settling.report()
  for (let done = 0; ; ) {
    const n = await settling.pass()
    if (n === 0) return
    done += n
    onProgress?.({ done: Math.min(done, total), total })
    if (done >= total) return
  }
}

async function drop(
  { space }: Followed,
  followed: Followed,
  { generation }: FollowerRecord,
  { make }: SemanticParts,
): Promise<void> {
  if (!space) return
  // Every process looks for what is in use within that time: until then it searches the old collections.
  await sleep(ATTENDED + GRACE)
  const old = await make(generation)
  try {
    await old.open(space, async () => space.dimensions)
    await old.drop()
  } finally {
    await old.close()
  }
  await followed.dropOtherVectors()
}
