import { v7 } from 'uuid'
import { prepare } from './backend.js'
import type { Backend } from './contract/backend.js'
import type { TransferCapture } from './contract/online.js'
import type { TransferTarget } from './contract/transfer.js'
import type { OnlineOptions, OnlineReport, OnlineWishes, TransferEnd } from './contract/transfer-plan.js'
import { ConfigurationError, UnsupportedError } from './errors.js'
import { newOwner } from './owner.js'
import { probesOf } from './run-probes.js'
import { openSource, openTarget } from './run-transfer.js'

/** Opens what notes the writes of a store. */
export async function openCapture({ url, options = {} }: TransferEnd): Promise<TransferCapture> {
  const { name, load } = prepare(url, options)
  const backend: Backend = await load({ loads: true })
  await backend.open()
  try {
    const capture = await backend.transferring?.capture?.()
    if (!capture)
      throw new UnsupportedError('transfer', `${name} cannot be moved while it is in use: stop what writes to it`)
    return capture
  } finally {
    await backend.close()
  }
}

const KNOWN: readonly string[] = [
  'dryRun',
  'resume',
  'force',
  'limits',
  'lease',
  'signal',
  'onPlan',
  'onProgress',
  'soak',
] satisfies readonly (keyof OnlineWishes)[]

async function openOld(from: TransferEnd) {
  const { end, close } = await openTarget(from)
  const old: TransferTarget = {
    describe: () => end.describe(),
    count: (scope) => end.count(scope),
    begin: (request) => end.begin(request),
    unfinished: () => end.unfinished(),
    abandon: () => end.abandon(),
    close,
  }
  return old
}

/**
 * Moves a store to another one while it is in use: what is written meanwhile is noted and brought over, both are compared,
 * and in a moment in which writers wait the target takes the source's place. Programs that were told of the target
 * (`movingTo`) go on there; others are refused with a `MovedError`.
 *
 * @throws ConfigurationError for an option that means a part; ConflictError where a move was left, or the target holds records; UnsupportedError for a store that cannot be
 * moved so; StorageError where both sides differ: nothing was switched.
 */
export async function transferOnline(options: OnlineOptions): Promise<OnlineReport> {
  const { from, to, ...wishes } = options
  for (const [name, value] of Object.entries(wishes))
    if (value !== undefined && !KNOWN.includes(name))
      throw new ConfigurationError(`option ${name}: does not go with a memory in use: all of it is moved, and compared`)
  const { OnlineMove } = await import('./transfer/online.js')
  const capture = await openCapture(from)
  const closing: (() => Promise<void>)[] = [() => capture.close()]
  try {
    const source = await openSource(from)
    closing.push(source.close)
    const target = await openTarget(to)
    closing.push(target.close)
    const ends = {
      source: source.end,
      target: target.end,
      targetSource: async () => (await openSource(to)).end,
      capture,
      back: () => openCapture(to),
      old: () => openOld(from),
      probe: probesOf(from, to),
    }
    return await new OnlineMove(ends, wishes, { clock: Date.now, newId: () => v7(), owner: newOwner() }).run()
  } finally {
    for (const close of closing.reverse()) await close()
  }
}

/** Gives up a move that was not switched: the source is as before, and what was copied stays in the target. */
export async function abandonOnline({ from, to }: Pick<OnlineOptions, 'from' | 'to'>): Promise<void> {
  const { abandonMove } = await import('./transfer/switch-back.js')
  const capture = await openCapture(from)
  try {
    await abandonMove(capture)
  } finally {
    await capture.close()
  }
  const target = await openTarget(to)
  try {
    await target.end.abandon()
  } finally {
    await target.close()
  }
}

/** Has the old store take its place again, with what was written since, where it was kept up (`soak`). */
export async function switchBackOnline({ from, to }: Pick<OnlineOptions, 'from' | 'to'>) {
  const { switchBack } = await import('./transfer/switch-back.js')
  const capture = await openCapture(from)
  try {
    return await switchBack({ capture, back: () => openCapture(to), old: () => openOld(from) }, { owner: newOwner() })
  } finally {
    await capture.close()
  }
}
