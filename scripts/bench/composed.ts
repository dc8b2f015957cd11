import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { v7 } from 'uuid'
import type { MemoryOptions } from '../../src/contract/composition.js'
import { createMemory, type Memory } from '../../src/index.js'
import { ownPostgresql, startQdrant, startRedis } from '../../test/ground/index.js'

export const DIMENSIONS = 384
export const PRIMARIES = ['sqlite', 'postgresql'] as const
export type Primary = (typeof PRIMARIES)[number]
export const NAMES = { sqlite: 'an SQLite file', postgresql: 'PostgreSQL' } as const

const name = (): string => `t${v7().replaceAll('-', '')}`

/** The servers of a run, which begin empty and are its own. */
export interface Ground {
  readonly qdrantUrl: string
  /** An empty primary. */
  primary(kind: Primary): Promise<string>
  semantic(): { readonly url: string; readonly collection: string }
  cache(): string
  stop(): Promise<void>
}

export async function startGround(): Promise<Ground> {
  const folder = await mkdtemp(join(tmpdir(), 'bruno-memory-bench-'))
  const [server, qdrant, redis] = await Promise.all([
    ownPostgresql({ shared_buffers: '256MB', max_wal_size: '4GB' }),
    startQdrant({ own: true }),
    startRedis({ own: true }),
  ])
  return {
    qdrantUrl: qdrant.url,
    async primary(kind) {
      if (kind === 'sqlite') return `sqlite:${join(folder, `${name()}.db`)}`
      const database = name()
      await atPostgresql(server.url, `create database ${database}`)
      const url = new URL(server.url)
      url.pathname = `/${database}`
      return url.href
    },
    semantic() {
      const collection = name()
      return { url: `${qdrant.url.replace(/^http/, 'qdrant')}/${collection}`, collection }
    },
    cache: () => `${redis.url}?prefix=${name()}`,
    async stop() {
      await Promise.all([server.stop(), qdrant.stop(), redis.stop()])
      await rm(folder, { recursive: true })
    },
  }
}

export async function atPostgresql(url: string, statement: string): Promise<void> {
  const admin = postgres(url, { max: 1, onnotice: () => undefined })
  await admin.unsafe(statement)
  await admin.end()
}

export async function opened(options: MemoryOptions): Promise<Memory> {
  const memory = createMemory({ embeddingDimensions: DIMENSIONS, ...options })
  await memory.connect()
  return memory
}

/** One figure beside what is asked of it. */
export interface Figure {
  readonly name: string
  readonly value: number
  /** Null: measured, and nothing asked. */
  readonly goal: number | null
  /** Whether less is better. */
  readonly atMost: boolean
  readonly unit: string
  /** What it is made of. */
  readonly of: string
}

export function printFigures(figures: readonly Figure[]): void {
  const told = (value: number, unit: string): string =>
    `${value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(2)}${unit}`
  console.log('| what | measured | goal | of |')
  console.log('| --- | ---: | ---: | --- |')
  for (const { name, value, goal, atMost, unit, of } of figures) {
    const met = goal !== null && (atMost ? value <= goal : value >= goal)
    const wanted = goal === null ? '' : `${atMost ? '≤' : '≥'} ${goal.toLocaleString('en')}${unit} ${met ? '✓' : '✗'}`
    console.log(`| ${name} | ${told(value, unit)} | ${wanted} | ${of} |`)
  }
}

/** Seconds that some work took. */
export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1000
}

/** The value below which a share of some values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number
}
