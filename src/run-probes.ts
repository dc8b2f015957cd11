import { setTimeout as sleep } from 'node:timers/promises'
import { memoryOf, prepare } from './backend.js'
import type { Memory } from './contract/memory.js'
import type { Hit } from './contract/search.js'
import type { Carried, TransferSource } from './contract/transfer.js'
import type { TransferEnd } from './contract/transfer-plan.js'
import { StorageError } from './errors.js'

const SAMPLES = 10
const TRIES = 3
const FOUND = 50

function opened({ url, options = {} }: TransferEnd): Memory {
  const prepared = prepare(url, options)
  return memoryOf({ ...prepared, load: () => prepared.load({ loads: true }) })
}

/** The longest word of a text, which few others have. */
const wordOf = (text: string): string | null =>
  (text.match(/[\p{L}\p{N}]{4,}/gu) ?? []).sort((a, b) => b.length - a.length)[0] ?? null

const idOf = (hit: Hit): string => (hit.kind === 'message' ? hit.record.id : '')

type Message = Extract<Carried, { readonly kind: 'message' }>['record']

async function samplesOf(source: TransferSource): Promise<Message[]> {
  const samples: Message[] = []
  const scope = { kinds: ['message' as const] }
  const ranges = await source.ranges(scope, 50_000)
  for (const range of ranges.slice(0, SAMPLES)) {
    const limits = { records: 200, bytes: 1_000_000 }
    for await (const { records } of source.read(range, { after: null, limits })) {
      const step = Math.max(1, Math.floor(records.length / SAMPLES))
      for (let i = 0; i < records.length && samples.length < SAMPLES; i += step)
        samples.push((records[i] as Carried).record as Message)
      break
    }
  }
  return samples
}

/** What a memory answers about a message: the end of its conversation, and whether its words find it. */
async function answersOf(memory: Memory, { tenantId, conversationId, id, content }: Message): Promise<string[]> {
  const tenant = memory.forTenant(tenantId)
  const { items } = await tenant.messages.list(conversationId, { last: 50 })
  const answers = [JSON.stringify(items.map((each) => [each.id, each.position, each.content]))]
  const word = wordOf(content)
  if (word === null || !memory.capabilities.textSearch) return answers
  const hits = await tenant.search({ text: word, mode: 'text', conversationId, kinds: ['message'], limit: FOUND })
  const found = hits.length < FOUND ? hits.map(idOf).sort() : hits.some((hit) => idOf(hit) === id)
  return [...answers, JSON.stringify(found)]
}

/** Asks both ends the same questions. What is being written to is asked again, and left out where it never rests. */
export const probesOf =
  (from: TransferEnd, to: TransferEnd) =>
  async (source: TransferSource, catchUp: () => Promise<unknown>): Promise<number> => {
    await using here = opened(from)
    await using there = opened(to)
    let asked = 0
    for (const message of await samplesOf(source)) asked += await alike({ here, there, catchUp }, message)
    return asked
  }

interface Sides {
  readonly here: Memory
  readonly there: Memory
  readonly catchUp: () => Promise<unknown>
}

/** How many questions were answered alike. */
async function alike({ here, there, catchUp }: Sides, message: Message): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const before = await answersOf(here, message)
    // All that the first answer tells of has been brought over by then.
    await catchUp()
    const theirs = await answersOf(there, message)
    if (theirs.join() === before.join()) return theirs.length
    const after = await answersOf(here, message)
    if (before.join() === after.join())
      throw new StorageError('both sides answer the same questions differently: nothing was switched')
    if (attempt === TRIES) return 0
    await sleep(20)
  }
}
