import type { TransferEnd } from '../contract/transfer-plan.js'
import { ConfigurationError } from '../errors.js'
import { findKind } from '../registry.js'
import type { CliIo } from './io.js'
import { findStore, lookInto, optionsFor, type Store, sameFile } from './open.js'

const ARCHIVE = /^archive:(?:\/\/)?(.*)$/s

/** An end as it was given. */
interface Named {
  readonly url: string
  /** Of a file; null for a server. */
  readonly path: string | null
  /** Null for an archive. */
  readonly store: Store | null
}

function named(flag: string, given: string, io: CliIo): Named {
  const archive = ARCHIVE.exec(given)?.[1]
  if (archive === '') throw new ConfigurationError(`${flag}: name a file after archive:, such as archive:backup.bma`)
  if (archive !== undefined) return { url: `archive:${archive}`, path: archive, store: null }
  const store = findStore({ url: given }, io)
  findKind(store.url)
  if (store.path === ':memory:')
    throw new ConfigurationError(`${flag}: name a file: a database in memory ends with this command`)
  return { url: store.url, path: store.path, store }
}

/** What the target is made with, where it is made: as it says of itself, else as the source does. */
async function targetOptions(from: Named, to: Named, embeddings: string | undefined): Promise<object> {
  if (!to.store) return {}
  const there = await lookInto(to.store)
  const here = from.store && !there.exists ? await lookInto(from.store) : null
  const language = there.language ?? here?.language
  return optionsFor(to.store, { ...(language && { language }), ...(embeddings && { embeddings }) }, there, true)
}

/**
 * Both ends with the options that they are opened by.
 *
 * @throws ConfigurationError for an unknown URL, and for one place that is named twice.
 */
export async function endsOf(
  given: { readonly from: string; readonly to: string },
  embeddings: string | undefined,
  io: CliIo,
): Promise<{ readonly from: TransferEnd; readonly to: TransferEnd }> {
  const [from, to] = [named('--from', given.from, io), named('--to', given.to, io)]
  const same = from.path !== null && to.path !== null ? sameFile(from.path, to.path) : from.url === to.url
  if (same) throw new ConfigurationError('--from and --to are the same place')
  return { from: { url: from.url }, to: { url: to.url, options: { ...(await targetOptions(from, to, embeddings)) } } }
}
