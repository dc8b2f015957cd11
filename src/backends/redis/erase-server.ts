import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster, Redis } from 'ioredis'
import type { ScrubStep } from '../../contract/erase.js'
import type { RedisClient } from './client.js'
import { codeOf } from './errors.js'

/** Keys that the server looks at in one call. */
const LOOKED_AT = 1000
const PAUSE = 50
/** Milliseconds that are waited for a server to write its files anew. */
const LONGEST = 600_000

/** The server, or each primary of a Cluster. */
export const nodesOf = ({ connection }: RedisClient): readonly Redis[] =>
  'nodes' in connection ? (connection as Cluster).nodes('master') : [connection as Redis]

/** Keys by a pattern, over all servers, a page at a time; some may come twice. */
export async function* scanKeys(client: RedisClient, pattern: string): AsyncGenerator<string[]> {
  for (const node of nodesOf(client))
    for (let cursor = '0'; ; ) {
      const [next, keys] = await client.call(() => node.scan(cursor, 'MATCH', pattern, 'COUNT', LOOKED_AT))
      if (keys.length > 0) yield keys
      if (next === '0') break
      cursor = next
    }
}

type Info = (name: string) => string

async function persistence(client: RedisClient, node: Redis): Promise<Info> {
  const text = await client.call(() => node.info('persistence'))
  return (name) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(text)?.[1] ?? ''
}

/** Whether the server writes snapshots; one that does not say is taken to. */
async function snapshots(node: Redis): Promise<boolean> {
  try {
    const [, save] = (await node.config('GET', 'save')) as string[]
    return save !== ''
  } catch {
    return true
  }
}

interface Rewrite {
  readonly what: string
  readonly begin: (node: Redis) => Promise<unknown>
  /** Whether one is under way, or waits for its turn. */
  readonly busy: (info: Info) => boolean
  readonly outcome: string
}

const AOF: Rewrite = {
  what: 'BGREWRITEAOF',
  begin: (node) => node.bgrewriteaof(),
  busy: (info) => info('aof_rewrite_in_progress') === '1' || info('aof_rewrite_scheduled') === '1',
  outcome: 'aof_last_bgrewrite_status',
}
const RDB: Rewrite = {
  what: 'BGSAVE',
  begin: (node) => node.bgsave('SCHEDULE'),
  busy: (info) => info('rdb_bgsave_in_progress') === '1',
  outcome: 'rdb_last_bgsave_status',
}

/** One that was under way before has seen what was erased: it is waited for, and another one begun. */
async function rewrite(client: RedisClient, node: Redis, { what, begin, busy, outcome }: Rewrite): Promise<ScrubStep> {
  const until = performance.now() + LONGEST
  const over = async (): Promise<Info | null> => {
    for (;;) {
      const info = await persistence(client, node)
      if (!busy(info)) return info
      if (performance.now() >= until) return null
      await sleep(PAUSE)
    }
  }
  const late = { what, done: false, reason: 'the server was not done in ten minutes: look at INFO persistence' }
  try {
    if (!(await over())) return late
    await begin(node)
    // A scheduled one is not under way at once.
    await sleep(PAUSE)
    const info = await over()
    if (!info) return late
    if (info(outcome) === 'ok') return { what, done: true, reason: null }
    return { what, done: false, reason: `the server could not write its file (${outcome} is not ok)` }
  } catch (error) {
    const code = codeOf(error)
    return {
      what,
      done: false,
      reason: `the server refused it (${code || 'connection lost'}): let its operator run it`,
    }
  }
}

/** Has each server write its files anew, of what it holds now, and waits for the end. */
export async function rewritePersistence(client: RedisClient): Promise<readonly ScrubStep[]> {
  const steps: ScrubStep[] = []
  for (const node of nodesOf(client)) {
    const info = await persistence(client, node)
    if (info('aof_enabled') === '1') steps.push(await rewrite(client, node, AOF))
    if (await snapshots(node)) steps.push(await rewrite(client, node, RDB))
  }
  return steps
}
