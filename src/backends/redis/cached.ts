import type { CachedKey } from '../../contract/backend.js'
import type { RedisStore } from './context.js'
import { scanKeys } from './erase-server.js'

const decoded = (part: string): string => Buffer.from(part, 'base64url').toString()

/**
 * The keys of what is cached for all tenants, a page at a time; some may come twice. It looks at every key of the server,
 * without holding it: for those who look after it, not for requests.
 */
export async function* cachedKeys({ client, prefix }: RedisStore): AsyncGenerator<CachedKey[]> {
  const head = `bruno:{${Buffer.from(prefix).toString('base64url')}.`
  for await (const names of scanKeys(client, `${head}*}:v:*`))
    yield names.flatMap((name) => {
      const [, tenant, key] = /^([^}]*)\}:v:(.*)$/s.exec(name.slice(head.length)) ?? []
      return tenant === undefined || key === undefined ? [] : [{ tenantId: decoded(tenant), key: decoded(key) }]
    })
}
