import type { Memory } from '../../src/contract/memory.js'

/** A store as those who follow it see it, beside the memory that is open on it. */
export interface FollowedStore {
  readonly memory: Memory
  /** What an instant is in this engine's SQL. */
  readonly instant: string
  run(text: string): Promise<Record<string, unknown>[]>
}

export const KINDS = ['message', 'memory', 'document']

export async function addFollower(
  { run, instant }: FollowedStore,
  name: string,
  { kind = name, kinds = KINDS, state = 'active' }: { kind?: string; kinds?: readonly string[]; state?: string } = {},
): Promise<void> {
  await run(`insert into bruno_followers (name, kind, state, kinds, settings, seeded_revision, lease_epoch, created_at, updated_at, version, revision)
    values ('${name}', '${kind}', '${state}', '${JSON.stringify(kinds)}', '{}', 0, 0, ${instant}, ${instant}, 1, 0)`)
}

interface Told {
  readonly entries: Readonly<Record<string, readonly string[]>>
  /** The highest revision, by entry. */
  readonly revisions: Readonly<Record<string, number>>
}

/** What each follower has to be told, as `kind scope record`; then it has been. */
export async function told({ run }: FollowedStore): Promise<Told> {
  const rows = await run('select follower, tenant_id, kind, scope, record_id, revision from bruno_outbox')
  await run('delete from bruno_outbox')
  const entries: Record<string, string[]> = {}
  const revisions: Record<string, number> = {}
  for (const { follower, kind, scope, record_id, revision } of rows) {
    const entry = `${kind} ${scope} ${record_id}`
    entries[String(follower)] = [...(entries[String(follower)] ?? []), entry].sort()
    revisions[entry] = Math.max(revisions[entry] ?? 0, Number(revision))
  }
  return { entries, revisions }
}
