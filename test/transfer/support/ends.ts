import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import type { ServerUrls } from '../../ground/index.js'

export const END_NAMES = ['sqlite', 'postgresql', 'redis', 'chromadb', 'qdrant', 'archive'] as const
export type EndName = (typeof END_NAMES)[number]

/** One end of a transfer that nobody has used before. */
export interface End {
  readonly name: EndName
  /** As `--from` and `--to` take it. */
  readonly url: string
  remove(): Promise<void>
}

const fresh = (): string => `t${randomBytes(8).toString('hex')}`

async function inFolder(name: EndName, urlOf: (folder: string) => string): Promise<End> {
  const folder = mkdtempSync(join(tmpdir(), 'bruno-memory-transfer-'))
  const remove = async () => rmSync(folder, { recursive: true, force: true })
  return { name, url: urlOf(folder), remove }
}

async function database({ POSTGRESQL_URL }: ServerUrls): Promise<End> {
  const name = fresh()
  const administer = async (statement: string) => {
    const sql = postgres(POSTGRESQL_URL, { max: 1, onnotice: () => {} })
    await sql.unsafe(statement).finally(() => sql.end())
  }
  await administer(`create database ${name}`)
  const url = new URL(POSTGRESQL_URL)
  url.pathname = `/${name}`
  const remove = () => administer(`drop database if exists ${name} with (force)`)
  return { name: 'postgresql', url: url.href, remove }
}

const named = (name: EndName, url: string): End => ({ name, url, remove: async () => undefined })

const MAKERS: Readonly<Record<EndName, (servers: ServerUrls) => Promise<End>>> = {
  sqlite: () => inFolder('sqlite', (folder) => `sqlite:${join(folder, 'memory.db')}`),
  archive: () => inFolder('archive', (folder) => `archive:${join(folder, 'memory.bma')}`),
  postgresql: database,
  redis: async ({ REDIS_URL }) => named('redis', `${REDIS_URL}?prefix=${fresh()}`),
  chromadb: async ({ CHROMA_URL }) => named('chromadb', `${CHROMA_URL.replace(/^http/, 'chroma')}/${fresh()}`),
  qdrant: async ({ QDRANT_URL }) => named('qdrant', `${QDRANT_URL.replace(/^http/, 'qdrant')}/${fresh()}`),
}

export const freshEnd = (name: EndName, servers: ServerUrls): Promise<End> => MAKERS[name](servers)

/** Every ordered pair of two. */
export const PAIRS: readonly (readonly [EndName, EndName])[] = END_NAMES.flatMap((from) =>
  END_NAMES.filter((to) => to !== from).map((to) => [from, to] as const),
)
