/** A point as the engine's own HTTP interface shows it. */
export interface EnginePoint {
  readonly key: string
  /** As the engine keeps what records are found by. */
  readonly payload: Readonly<Record<string, unknown>>
  readonly vector: readonly number[]
}

/** A semantic store, read without the library. What it remembers of deleted records is left out. */
export interface EnginePeek {
  points(): Promise<EnginePoint[]>
}

const PAGE = 1000

async function ask<T>(url: string, body?: object): Promise<T> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(url, body ? { method: 'POST', headers, body: JSON.stringify(body) } : {})
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}`)
  return (await answer.json()) as T
}

/** Records have a row in the primary; what is remembered of a deleted one has none. */
const isRecord = ({ payload: { rest } }: EnginePoint): boolean => typeof rest === 'string' && rest.includes('"seq"')

export function qdrantPeek(url: string, collection: string): EnginePeek {
  interface Page {
    readonly result: {
      readonly points: readonly {
        readonly id: string
        readonly payload: EnginePoint['payload']
        readonly vector: number[]
      }[]
      readonly next_page_offset: string | null
    }
  }
  return {
    async points() {
      const found: EnginePoint[] = []
      for (let offset: string | null = null, more = true; more; ) {
        const body: object = { limit: PAGE, with_payload: true, with_vector: true, ...(offset !== null && { offset }) }
        const { result }: Page = await ask<Page>(`${url}/collections/${collection}/points/scroll`, body)
        found.push(...result.points.map(({ id, payload, vector }) => ({ key: id, payload, vector })))
        offset = result.next_page_offset
        more = offset !== null
      }
      return found.filter(isRecord)
    },
  }
}

export function chromaPeek(url: string, collection: string): EnginePeek {
  const base = `${url}/api/v2/tenants/default_tenant/databases/default_database/collections`
  interface Page {
    readonly ids: readonly string[]
    readonly metadatas: readonly EnginePoint['payload'][]
    readonly embeddings: readonly number[][]
  }
  const pointsIn = async (id: string): Promise<EnginePoint[]> => {
    const found: EnginePoint[] = []
    for (let offset = 0; ; offset += PAGE) {
      const body = { limit: PAGE, offset, include: ['metadatas', 'embeddings'] }
      const { ids, metadatas, embeddings } = await ask<Page>(`${base}/${id}/get`, body)
      ids.forEach((key, i) => {
        found.push({ key, payload: metadatas[i] ?? {}, vector: embeddings[i] ?? [] })
      })
      if (ids.length < PAGE) return found
    }
  }
  return {
    async points() {
      const all: { id: string; name: string }[] = []
      for (let offset = 0, more = true; more; offset += 100) {
        const page = await ask<typeof all>(`${base}?limit=100&offset=${offset}`)
        all.push(...page)
        more = page.length === 100
      }
      const mine = all.filter(({ name }) => name.startsWith(`${collection}.`))
      return (await Promise.all(mine.map(({ id }) => pointsIn(id)))).flat().filter(isRecord)
    },
  }
}
