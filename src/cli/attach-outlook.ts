import { prepare } from '../backend.js'
import { ConfigurationError } from '../errors.js'
import { findKind } from '../registry.js'
import { number } from './format.js'
import { lookAtPrimary, type Store, type StoreOptions } from './open.js'

export const ROLES = ['semantic', 'cache'] as const
export type Role = (typeof ROLES)[number]

/** A store that is to follow a memory. */
export interface Follower {
  readonly role: Role
  readonly url: string
  /** Where it is, without secrets. */
  readonly place: string
}

/** What it takes to have them follow. */
export interface AttachOutlook {
  readonly records: number
  /** Records whose text has no vector yet, and about how many tokens these are. */
  readonly toEmbed: number
  readonly tokens: number
  /** Followers that stand on record, by their role: where they are. */
  readonly present: Readonly<Partial<Record<Role, string>>>
  /** Whether the vectors' space is known. */
  readonly space: boolean
}

/** Characters of a token, about: a guess that is told before anything is paid for. */
const PER_TOKEN = 4

/**
 * Reads `semantic=URL` and `cache=URL`.
 *
 * @throws ConfigurationError for another name, one that is named twice, and a backend that cannot play the role.
 */
export function followersToAttach(given: readonly string[]): readonly Follower[] {
  const followers: Follower[] = []
  for (const text of given) {
    const at = text.indexOf('=')
    const role = ROLES.find((name) => name === text.slice(0, at))
    if (!role || at === text.length - 1)
      throw new ConfigurationError('--attach takes semantic=URL or cache=URL, such as semantic=qdrant://127.0.0.1:6333')
    if (followers.some((each) => each.role === role)) throw new ConfigurationError(`--attach ${role}= is given twice`)
    const url = text.slice(at + 1)
    followers.push({ role, url, place: placeOf(role, url) })
  }
  return followers
}

function placeOf(role: Role, url: string): string {
  const { name, kind } = findKind(url)
  if (role === 'cache') {
    if (kind.cachePlace) return kind.cachePlace(prepare(url, {}).options)
    throw new ConfigurationError(`--attach cache=: ${name} is no cache; use redis`)
  }
  // The store itself makes no vectors: the primary tells of which length they are.
  if (kind.index) return kind.index.place(prepare(url, { embeddingDimensions: 1 }).options)
  throw new ConfigurationError(`--attach semantic=: ${name} finds nothing by meaning; use qdrant or chromadb`)
}

/** What is there, and what it will cost; nothing is written. */
export const attachOutlook = (store: Store, options: StoreOptions): Promise<AttachOutlook> =>
  lookAtPrimary(store, options, async ({ followed }) => {
    if (!followed) throw new ConfigurationError(`nothing can follow ${store.name}: use sqlite or postgresql`)
    const [{ records, toEmbed, characters }, followers] = await Promise.all([followed.estimate(), followed.followers()])
    const placed = followers.filter(({ building }) => !building).map(({ kind, place }) => [kind, place] as const)
    return {
      records,
      toEmbed,
      tokens: Math.ceil(characters / PER_TOKEN),
      present: Object.fromEntries(placed),
      space: followed.space !== null,
    }
  })

/**
 * @throws ConfigurationError where a follower would be put out of its place, or nobody can make its vectors.
 */
export function checkAttachable(
  followers: readonly Follower[],
  { present, space }: AttachOutlook,
  { embeddings, force }: { readonly embeddings: string | undefined; readonly force: boolean },
): void {
  for (const { role, place } of followers)
    if (present[role] !== undefined && present[role] !== place && !force)
      throw new ConfigurationError(
        `the memory has a ${role === 'semantic' ? 'semantic store' : 'cache'} already, ${present[role]}: --force puts the new one in its place, which programs that use the old one refuse`,
      )
  if (followers.some(({ role }) => role === 'semantic') && !space && embeddings === undefined)
    throw new ConfigurationError('name the model of the vectors with --embeddings, such as --embeddings offline')
}

export function outlookLines(
  store: Store,
  followers: readonly Follower[],
  { records, toEmbed, tokens, present }: AttachOutlook,
  embeddings: string | undefined,
): string[] {
  const lines = [`from      ${store.name}`]
  for (const { role, place } of followers) {
    const again = present[role] === place ? ', which follows already: it goes on' : ''
    lines.push(`${role.padEnd(9)} ${place}${again}`)
  }
  if (followers.some(({ role }) => role === 'cache'))
    lines.push('the cache is told nothing now: it fills as it is read')
  if (!followers.some(({ role }) => role === 'semantic')) return lines
  lines.push(`${number(records)} records; nothing of the memory itself is changed`)
  lines.push(
    embeddings === undefined && toEmbed > 0
      ? `${number(toEmbed)} texts have no vector, and no model is named (--embeddings): they are not found by meaning`
      : `${number(toEmbed)} texts to embed, about ${number(tokens)} tokens`,
  )
  return lines
}
