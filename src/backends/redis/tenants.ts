import type { RedisClient } from './client.js'
import { tenantsKey } from './keys.js'
import { beyond, FIRST, LAST } from './order.js'

/** Makes a tenant known to sweeps. */
export const addTenant = (client: Pick<RedisClient, 'call'>, prefix: string, tenantId: string): Promise<unknown> =>
  client.call((c) => c.zadd(tenantsKey(prefix), 0, tenantId))

/** Every tenant that was made known. A page at a time: the server answers nobody else while it answers one call. */
export async function* knownTenants(
  client: Pick<RedisClient, 'call'>,
  prefix: string,
  page = 500,
): AsyncGenerator<string> {
  const key = tenantsKey(prefix)
  for (let min = FIRST; ; ) {
    const found = await client.call((c) => c.zrangebylex(key, min, LAST, 'LIMIT', 0, page))
    yield* found
    if (found.length < page) return
    min = beyond(found[found.length - 1] as string)
  }
}
