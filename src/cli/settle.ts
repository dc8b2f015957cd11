import type { Command } from 'commander'
import { followerVerbs } from '../composed/upkeep.js'
import type { Memory } from '../contract/memory.js'
import type { FollowerStatus } from '../contract/upkeep.js'
import { ConfigurationError, UnsupportedError } from '../errors.js'
import { duration, number, table } from './format.js'
import { INTERRUPTED, onInterrupt } from './interrupt.js'
import { type CliIo, line, printJson } from './io.js'
import {
  embeddingsOf,
  embeddingsOption,
  findStore,
  followersOf,
  followersOptions,
  lookAtPrimary,
  type Store,
  type StoreOptions,
  storeOptions,
  withMemory,
} from './open.js'

interface Options extends StoreOptions {
  readonly watch?: true
  readonly status?: true
  readonly requeue?: true
  readonly unfollow?: string
  readonly json?: true
}

export function register(program: Command, io: CliIo): void {
  const command = program
    .command('settle')
    .summary('tell the stores that follow a memory what has changed')
    .description(
      'Works off what the semantic store and the cache still have to be told, and ends; with --watch it goes on until it\n' +
        'is stopped, for programs that open the memory with settle: off. Several may run at once.',
    )
  embeddingsOption(followersOptions(storeOptions(command)))
    .option('--watch', 'go on until Ctrl-C')
    .option('--status', 'only say how far each store is behind')
    .option('--requeue', 'first try again what was tried in vain')
    .option('--unfollow <follower>', 'forget a store that follows no more: semantic or cache')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      '\nExit code 0: everything was told; 1: something is left or parked; 130: stopped by Ctrl-C.\n' +
        'Example:\n  bruno-memory settle --url postgres://… --semantic qdrant://127.0.0.1:6333 --embeddings offline',
    )
    .action((options: Options) => settle(options, io))
}

async function settle(options: Options, io: CliIo): Promise<void> {
  const store = findStore(options, io)
  if (options.status || options.unfollow !== undefined) return look(store, options, io)
  const together = followersOf(options, io)
  if (!together.semantic && !together.cache)
    throw new ConfigurationError('name who follows the memory with --semantic or --cache')
  const embeddings = embeddingsOf(options, io)
  await withMemory(store, { ...options, ...(embeddings && { embeddings }), together }, async (memory) => {
    if (options.requeue) await requeue(memory, options, io)
    const interrupted = await work(memory, options, io)
    const followers = await memory.followers()
    told(store, followers, options, io)
    const left = followers.some(({ depth, parked }) => depth > 0 || parked > 0)
    io.setExitCode(interrupted ? INTERRUPTED : left ? 1 : 0)
  })
}

/** Without those who follow: whoever opens a memory with them puts them on record. */
async function look(store: Store, options: Options, io: CliIo): Promise<void> {
  await lookAtPrimary(store, options, async ({ followed }) => {
    if (!followed) throw new UnsupportedError('settle', `${store.name}: nobody can follow it`)
    const verbs = followerVerbs({ followed, woken: () => undefined })
    if (options.unfollow !== undefined) await verbs.unfollow(options.unfollow)
    if (options.requeue) await requeue(verbs, options, io)
    told(store, await verbs.followers(), options, io)
    io.setExitCode(0)
  })
}

async function requeue(memory: Pick<Memory, 'requeue'>, { json }: Options, io: CliIo): Promise<void> {
  const requeued = await memory.requeue()
  if (!json) line(io.stdout, `${number(requeued)} records are tried again`)
}

function told(store: Store, followers: readonly FollowerStatus[], { json }: Options, io: CliIo): void {
  if (json) printJson(io, { memory: store.name, followers })
  else print(io, followers)
}

/** Answers whether it was stopped. */
async function work(memory: Memory, { watch, json }: Options, io: CliIo): Promise<boolean> {
  const stop = onInterrupt(() => undefined)
  try {
    if (watch) {
      if (!json) line(io.stderr, 'settling; Ctrl-C ends it')
      await interrupted(stop.signal)
      return true
    }
    for (;;) {
      const { pending } = await memory.settle({ deadline: 2 ** 31 - 1 })
      if (pending === 0 || stop.signal.aborted) return stop.signal.aborted
      // What is left is due later, or in the hands of another process.
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
  } finally {
    stop.dispose()
  }
}

/** The memory settles by itself; a timer keeps the process. */
const interrupted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setInterval(() => undefined, 60_000)
    signal.addEventListener('abort', () => {
      clearInterval(timer)
      resolve()
    })
  })

function print(io: CliIo, followers: readonly FollowerStatus[]): void {
  const rows = followers.map(({ follower, state, depth, oldestAge, parked }) => [
    follower,
    state,
    `${number(depth)} to be told`,
    depth > 0 ? `the oldest for ${duration(oldestAge)}` : '',
    `${number(parked)} parked`,
  ])
  line(io.stdout, rows.length > 0 ? table(rows) : 'nobody follows this memory')
}
