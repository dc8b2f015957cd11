import type {
  EntryState,
  Journal,
  JournalEntry,
  JournalPhase,
  JournalState,
  StoredEntry,
  UnitJournal,
} from '../../contract/journal.js'
import { StorageError } from '../../errors.js'
import type { RedisClient } from './client.js'
import { journalKeys } from './keys.js'
import { CHANGE_PHASE, LEASE, MARK } from './scripts.js'
import type { Transaction } from './transaction.js'

const STATES: readonly EntryState[] = ['waiting', 'done', 'parked', 'kept']

/** As it is compared by scripts. */
const stateText = ({ epoch, phase }: JournalState): string => `${epoch} ${phase}`

type Kept = Omit<StoredEntry, 'createdAt' | 'seq'> & { readonly createdAt: number }

const encode = (entry: JournalEntry, state: EntryState, reason: string | null): string =>
  JSON.stringify({ ...entry, createdAt: entry.createdAt.getTime(), state, reason })

// A JSON error quotes the text: it must not become the cause.
function decode(seq: string, text: string): StoredEntry {
  try {
    const kept = JSON.parse(text) as Kept
    return { ...kept, seq: Number(seq), createdAt: new Date(kept.createdAt) }
  } catch {
    throw new StorageError('an entry of the journal cannot be read')
  }
}

/**
 * The journal of a store that is one server. It lies in a slot of its own, so that a Cluster, whose units are scripts in
 * one slot, has none.
 */
export function redisJournal(client: RedisClient, prefix: string, clock: () => number): Journal {
  const keys = journalKeys(prefix)
  const lists = STATES.map((state) => keys.list(state))
  const cards = async (...states: EntryState[]): Promise<number> => {
    const counts = await client.call((c) => Promise.all(states.map((state) => c.zcard(keys.list(state)))))
    return counts.reduce((sum, n) => sum + n, 0)
  }
  return {
    async state() {
      const [epoch, phase] = await client.call((c) => c.hmget(keys.state, 'epoch', 'phase'))
      return { epoch: Number(epoch ?? 0), phase: (phase ?? 'idle') as JournalPhase }
    },
    async change(from, to, { drained = false } = {}) {
      const args = [stateText(from), to.epoch, to.phase, drained ? 1 : 0]
      return (await client.run(CHANGE_PHASE, [keys.state, keys.list('waiting')], args)) === 1
    },
    lease: async (owner, milliseconds) =>
      (await client.run(LEASE, [keys.state], [owner, clock(), clock() + milliseconds])) === 1,
    release: async (owner) => void (await client.run(LEASE, [keys.state], [owner, 0, 0])),
    async read(states, limit) {
      const found = await client.call((c) =>
        Promise.all(states.map((state) => c.zrange(keys.list(state), 0, String(limit - 1)))),
      )
      const seqs = found
        .flat()
        .sort((a, b) => Number(a) - Number(b))
        .slice(0, limit)
      if (seqs.length === 0) return []
      const texts = await client.call((c) => c.hmget(keys.entries, ...seqs))
      return texts.flatMap((text, i) => (text === null ? [] : [decode(seqs[i] as string, text)]))
    },
    async mark(entries, state, reason) {
      for (const entry of entries) {
        const { seq, state: _s, reason: _r, ...rest } = entry
        const text = encode(rest, state, reason ?? null)
        await client.run(MARK, [keys.entries, ...lists], [seq, STATES.indexOf(state) + 2, text])
      }
    },
    async remove(entries) {
      for (const { seq } of entries) await client.run(MARK, [keys.entries, ...lists], [seq, 0, ''])
    },
    counts: async () => ({ waiting: await cards('waiting'), parked: await cards('parked', 'kept') }),
  }
}

/** The same inside a unit: whether the state has changed is looked at when it commits. */
export const redisUnitJournal = (client: RedisClient, prefix: string, tx: Transaction): UnitJournal => ({
  async enter(state) {
    const [epoch, phase] = await client.call((c) => c.hmget(journalKeys(prefix).state, 'epoch', 'phase'))
    tx.enter(stateText(state))
    return stateText({ epoch: Number(epoch ?? 0), phase: (phase ?? 'idle') as JournalPhase }) === stateText(state)
  },
  async add(entry) {
    tx.writes.notes.push(encode(entry, 'waiting', null))
  },
})
