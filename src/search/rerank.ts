import type { Hit, Reranker } from '../contract/search.js'
import { ConfigurationError, ConnectionError } from '../errors.js'

/** Puts hits into the reranker's order. */
export async function rerank(reranker: Reranker, question: string, hits: readonly Hit[], explain: boolean) {
  if (hits.length === 0) return []
  let scores: readonly number[]
  try {
    scores = await reranker.rerank(
      question,
      hits.map((hit) => hit.record.content),
    )
  } catch (error) {
    throw new ConnectionError('the reranker failed', { cause: error })
  }
  if (!Array.isArray(scores) || scores.length !== hits.length)
    throw new ConfigurationError('the reranker must answer one score for each text')
  if (!scores.every((score) => typeof score === 'number' && score >= 0 && score <= 1))
    throw new ConfigurationError("the reranker's scores must be numbers from 0 to 1")
  return hits
    .map((hit, i): Hit => {
      const shown = explain && hit.explain ? { explain: { ...hit.explain, reranked: { from: hit.score } } } : {}
      return { ...hit, ...shown, score: scores[i] as number }
    })
    .sort((a, b) => b.score - a.score)
}
