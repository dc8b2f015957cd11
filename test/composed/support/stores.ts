import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import type { MemoryOptions } from '../../../src/contract/composition.js'
import type { ServerUrls } from '../../ground/index.js'
import { chromaPeek, type EnginePeek, qdrantPeek } from './engine.js'
import { type PrimaryPeek, postgresqlPeek, sqlitePeek } from './primary.js'

/** Fresh stores of one memory, and how they are read without it. */
export interface Stores {
  readonly name: string
  readonly options: MemoryOptions
  /** The same for one process, which the primary knows by its name. */
  optionsOf(process: string): MemoryOptions
  /** Whether several processes may settle at once. */
  readonly sideBySide: boolean
  /** When the primary's tables are there. */
  peek(): PrimaryPeek
  readonly engine: EnginePeek | null
  remove(): Promise<void>
}

const fresh = (): string => `kill_${randomBytes(6).toString('hex')}`
const cacheOf = ({ REDIS_URL }: ServerUrls, name: string) => `${REDIS_URL}?prefix=${name}`

const shared = (options: MemoryOptions) => ({ options, optionsOf: () => options })

function sqliteIn(folder: string) {
  const path = join(folder, 'memory.db')
  return { path, primary: `sqlite:${path}` }
}

export type Combination = 'SQLite + Redis' | 'SQLite + ChromaDB + Redis' | 'PostgreSQL + Qdrant + Redis'

export async function freshStores(combination: Combination, servers: ServerUrls): Promise<Stores> {
  const name = fresh()
  const cache = cacheOf(servers, name)
  if (combination === 'PostgreSQL + Qdrant + Redis') return postgresqlAndQdrant(name, cache, servers)
  const folder = mkdtempSync(join(tmpdir(), 'bruno-memory-kill-'))
  const { path, primary } = sqliteIn(folder)
  const remove = async () => rmSync(folder, { recursive: true, force: true })
  const of = { name: combination, peek: () => sqlitePeek(path), remove }
  if (combination === 'SQLite + Redis') return { ...of, ...shared({ primary, cache }), sideBySide: true, engine: null }
  const { hostname: host, port } = new URL(servers.CHROMA_URL)
  const semantic = { backend: 'chromadb', host, port: Number(port), collectionName: name }
  const engine = chromaPeek(servers.CHROMA_URL, name)
  return { ...of, ...shared({ primary, semantic, cache }), sideBySide: false, engine }
}

async function postgresqlAndQdrant(name: string, cache: string, servers: ServerUrls): Promise<Stores> {
  const administrator = postgres(servers.POSTGRESQL_URL, { max: 1, onnotice: () => {} })
  await administrator.unsafe(`create database ${name}`)
  const url = new URL(servers.POSTGRESQL_URL)
  url.pathname = `/${name}`
  const semantic = { backend: 'qdrant', url: servers.QDRANT_URL, collectionName: name }
  return {
    name: 'PostgreSQL + Qdrant + Redis',
    options: { primary: url.href, semantic, cache },
    optionsOf: (applicationName) => {
      const primary = { backend: 'postgresql', connectionString: url.href, applicationName }
      return { primary, semantic, cache }
    },
    sideBySide: true,
    peek: () => postgresqlPeek(url.href),
    engine: qdrantPeek(servers.QDRANT_URL, name),
    remove: async () => {
      await administrator.unsafe(`drop database if exists ${name} with (force)`)
      await administrator.end()
      await fetch(`${servers.QDRANT_URL}/collections/${name}`, { method: 'DELETE' })
    },
  }
}
