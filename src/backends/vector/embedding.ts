import { unitVector } from '../../embeddings/unit.js'
import { checkVector } from '../../embeddings/vector.js'
import { ConfigurationError, UnsupportedError } from '../../errors.js'
import type { Message } from '../../model/records.js'
import type { VectorContext } from './context.js'
import { hashOf, OWN } from './point.js'
import type { Point, PointWrite } from './store.js'

/** Characters of a text that are embedded: models read no more, and some refuse more. */
const MAX_EMBEDDED = 8000

/** A record on its way, as far as its vector goes. */
export interface ToEmbed {
  /** Null where nothing is to be embedded: a draft, a message without words. */
  readonly text: string | null
  /** The vector that the record brings. */
  readonly own: Float32Array | null
  /** What the write replaces. */
  readonly before?: Pick<Point, 'content' | 'hash'> | undefined
}

export interface Embedded {
  readonly vector: PointWrite['vector']
  readonly hash: string | null
}

type EmbedContext = Pick<VectorContext, 'space' | 'embedder'>

/** A record's own vector, checked at the door. */
export const ownVector = (
  { space }: VectorContext,
  value: ArrayLike<number> | undefined,
  field: string,
): Float32Array | null => (value === undefined ? null : checkVector(value, field, space.dimensions))

/** What of a message is embedded: a draft's text will change, and a message of parts alone has no words. */
export const textOfMessage = ({ status, content }: Pick<Message, 'status' | 'content'>): string | null =>
  status === 'draft' || content.trim() === '' ? null : content

/** As it is compared: of length 1 where lengths do not count. */
export const indexed = ({ space }: Pick<VectorContext, 'space'>, vector: Float32Array): Float32Array =>
  space.metric === 'cosine' ? unitVector(vector) : vector

/** What needs no model: a vector that was brought, one that stays, or none. */
function known(context: EmbedContext, { text, own, before }: ToEmbed): Embedded | null {
  if (own) return { vector: indexed(context, own), hash: OWN }
  if (text === null) return { vector: null, hash: null }
  const stays = before?.hash === OWN ? before.content === text : before?.hash === hashOf(text)
  if (before && stays) return { vector: 'keep', hash: before.hash }
  return context.embedder ? null : { vector: null, hash: null }
}

function checkDimensions({ space }: Pick<VectorContext, 'space'>, vector: Float32Array): void {
  if (vector.length === space.dimensions) return
  throw new ConfigurationError(
    `the model answered a vector of ${vector.length} dimensions, and this store's have ${space.dimensions}: open it with the model of its vectors`,
  )
}

/** The vectors of some records, in their order; texts that need the model go to it together. */
export async function embed(context: EmbedContext, records: readonly ToEmbed[]): Promise<Embedded[]> {
  const made = records.map((record) => known(context, record))
  const texts = records.flatMap(({ text }, i) => (made[i] === null ? [text as string] : []))
  if (texts.length === 0 || !context.embedder) return made as Embedded[]
  const vectors = await context.embedder.embedDocuments(texts.map((text) => text.slice(0, MAX_EMBEDDED)))
  let at = 0
  return made.map((embedded) => {
    if (embedded) return embedded
    const vector = vectors[at] as Float32Array
    checkDimensions(context, vector)
    return { vector: indexed(context, vector), hash: hashOf(texts[at++] as string) }
  })
}

/** The question's vector, given or made. */
export async function embedQuestion(
  context: VectorContext,
  text: string,
  given: ArrayLike<number> | null,
): Promise<Float32Array> {
  const { embedder, space } = context
  if (given !== null) return indexed(context, checkVector(given, 'vector', space.dimensions))
  if (!embedder)
    throw new UnsupportedError(
      'vectorSearch',
      'this memory makes no vectors of questions: give a vector, or open it with an embeddingFunction',
    )
  const vector = await embedder.embedQuery(text.slice(0, MAX_EMBEDDED))
  checkDimensions(context, vector)
  return indexed(context, vector)
}
