/** A hit of one part of a search; `score` in [0, 1]. */
export interface Ranked<K> {
  readonly key: K
  readonly score: number
}

export interface Fused<K> {
  readonly key: K
  readonly score: number
  /** What each part counted, brought into [0, 1] over its candidates; 0 where it did not find the hit. */
  readonly text: number
  readonly vector: number
}

/** Each part's scores stretched over [0, 1], worst candidate to best. */
function stretched<K>(part: readonly Ranked<K>[]): { readonly of: ReadonlyMap<K, number>; readonly most: number } {
  let most = 0
  let least = Number.POSITIVE_INFINITY
  for (const { score } of part) {
    most = Math.max(most, score)
    least = Math.min(least, score)
  }
  const range = most - least
  return { of: new Map(part.map(({ key, score }) => [key, range > 0 ? (score - least) / range : 1])), most }
}

/**
 * Weighted sum of the two parts' stretched scores, times the weighted mean of their best scores: hits of a question that
 * nothing answers well do not look like good ones. Best first; equals keep the order of the text's hits.
 */
export function fuse<K>(
  text: readonly Ranked<K>[],
  vector: readonly Ranked<K>[],
  weights: { readonly text: number; readonly vector: number },
): Fused<K>[] {
  const sum = weights.text + weights.vector
  const [t, v] = [stretched(text), stretched(vector)]
  const scale = (weights.text * t.most + weights.vector * v.most) / sum
  const fused = [...new Set([...t.of.keys(), ...v.of.keys()])].map((key) => {
    const parts = { text: t.of.get(key) ?? 0, vector: v.of.get(key) ?? 0 }
    return { key, ...parts, score: (scale * (weights.text * parts.text + weights.vector * parts.vector)) / sum }
  })
  return fused.sort((a, b) => b.score - a.score)
}
