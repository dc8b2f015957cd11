import type { EmbeddingSpace } from '../../contract/embedder.js'
import { ConfigurationError } from '../../errors.js'
import type { WantedSpace } from './store.js'

const METRICS = ['cosine', 'dot', 'euclidean']

/** A space that was recorded; null where it is none. */
export function readSpace(value: unknown): EmbeddingSpace | null {
  const { provider, model, dimensions, metric } = (value ?? {}) as Partial<Record<keyof EmbeddingSpace, unknown>>
  if (typeof provider !== 'string' || typeof model !== 'string' || !METRICS.includes(metric as string)) return null
  if (!Number.isInteger(dimensions) || (dimensions as number) < 1) return null
  return { provider, model, dimensions, metric } as EmbeddingSpace
}

const described = ({ provider, model, dimensions, metric }: WantedSpace): string =>
  `${provider} ${model}, ${dimensions ?? 'unknown'} dimensions, ${metric}`

/**
 * Refuses another space than the one on record.
 *
 * @param other What to name to begin anew, such as another collection.
 */
export function compareSpaces(recorded: EmbeddingSpace, wanted: WantedSpace, other: string): void {
  const same =
    recorded.provider === wanted.provider &&
    recorded.model === wanted.model &&
    recorded.metric === wanted.metric &&
    (wanted.dimensions === null || recorded.dimensions === wanted.dimensions)
  if (same) return
  throw new ConfigurationError(
    `this store's vectors are of another space (${described(recorded)}; here: ${described(wanted)}): ` +
      `open it with that model, dimension and metric, or name ${other}`,
  )
}
