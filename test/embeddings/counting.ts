import type { EmbeddingFunction } from '../../src/contract/embedder.js'

type Answer = (texts: string[], attempt: number) => unknown

export interface Counting extends EmbeddingFunction {
  /** The texts of each call. */
  readonly calls: string[][]
}

/** An embedding function whose answers are the test's; `answer` gets the call's number from 1. */
export function counting(answer: Answer): Counting {
  const calls: string[][] = []
  const ask = async (texts: string[]): Promise<ArrayLike<number>[]> => {
    calls.push(texts)
    return (await answer(texts, calls.length)) as ArrayLike<number>[]
  }
  return { calls, embedDocuments: ask, embedQuery: async (text) => (await ask([text]))[0] as ArrayLike<number> }
}

/** A vector that tells texts apart. */
export const lengths = (texts: string[]): number[][] => texts.map((text) => [text.length, text.charCodeAt(0), 1])

export const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => {
      throw new Error('it did not fail')
    },
    (error: Error) => error,
  )
