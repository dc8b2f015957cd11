/** A part of a key: nothing in it can be taken for what stands between two parts. */
const part = (text: string): string => Buffer.from(text).toString('base64url')

/** What a key holds, as its first letter says; `TYPE` of Redis must agree. */
export type KeyType = 'hash' | 'zset' | 'string' | 'stream'

/** The field of a conversation that says where a message stands; longer than any of its own fields. */
export const positionField = (messageId: string): string => `i:${messageId}`

/** Holds the names of the tenants that have anything which expires. One for all tenants, in a slot of its own. */
export const tenantsKey = (prefix: string): string => `bruno:{${part(prefix)}}:tenants`

/** What was written in another store's place. */
export const journalKeys = (prefix: string) => {
  const head = `bruno:{${part(prefix)}}:journal`
  return { state: head, entries: `${head}:entries`, list: (state: string): string => `${head}:${state}` }
}

/**
 * The keys of one tenant. All of them carry the same hash tag, so that a Cluster keeps them in one slot and a unit is
 * one script. Prefix and tenant are encoded: a tenant named `}` would otherwise make an empty tag and spread its keys.
 */
export class TenantKeys {
  readonly #head: string
  constructor(prefix: string, tenantId: string) {
    this.#head = `bruno:{${part(prefix)}.${part(tenantId)}}:`
  }

  /** What kind of record a key is of: its first letter. */
  letter = (key: string): string => key[this.#head.length] ?? ''

  /** Records, one hash each. */
  user = (id: string): string => `${this.#head}u:${part(id)}`
  conversation = (id: string): string => `${this.#head}c:${part(id)}`
  session = (id: string): string => `${this.#head}s:${part(id)}`
  memory = (id: string): string => `${this.#head}e:${part(id)}`
  operation = (id: string): string => `${this.#head}o:${part(id)}`

  /** The messages of a conversation in order. Where each id stands is in the conversation itself: see `positionField`. */
  messages = (conversationId: string): string => `${this.#head}m:${part(conversationId)}`
  /** The sessions and memories that name a conversation. */
  links = (conversationId: string): string => `${this.#head}l:${part(conversationId)}`

  /** Listings in their order: of the tenant, or of one user. */
  get users(): string {
    return `${this.#head}U`
  }
  conversations = (userId?: string): string => this.#listing('C', userId)
  sessions = (userId?: string): string => this.#listing('S', userId)
  memories = (userId?: string): string => this.#listing('E', userId)
  #listing(letter: string, userId: string | undefined): string {
    return userId === undefined ? `${this.#head}${letter}` : `${this.#head}${letter}:${part(userId)}`
  }

  /** What expires, by its instant. */
  get due(): string {
    return `${this.#head}due`
  }
  /** Who purges next to another notices. */
  get purge(): string {
    return `${this.#head}purge`
  }
  /** That a commit was made, for those who did not hear the answer. */
  commit = (token: string): string => `${this.#head}t:${token}`
  /** Who has a record in hand. */
  lock = (record: string): string => `${this.#head}k:${record.slice(this.#head.length)}`
  cached = (key: string): string => `${this.#head}v:${part(key)}`
  cachedVersion = (key: string): string => `${this.#head}w:${part(key)}`
  get events(): string {
    return `${this.#head}events`
  }
  /** In front of what a rate limiter counts. */
  limits = (name: string): string => `${this.#head}r:${part(name)}`
}
