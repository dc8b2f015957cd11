import { SemanticIndex } from '../../../src/backends/vector/semantic.js'

export interface Brought {
  /** Records that arrived. */
  readonly records: number
  /** Whether no batch had a revision below those before it. */
  readonly inOrder: boolean
  /** When the first batch had arrived, by `performance.now()`. */
  readonly first: number
  restore(): void
}

/** What is brought to semantic stores in this process from now on, batch by batch. */
export function brought(): Brought {
  const { bring } = SemanticIndex.prototype
  const state = { records: 0, inOrder: true, first: Number.POSITIVE_INFINITY }
  let highest = 0
  SemanticIndex.prototype.bring = async function (states) {
    await bring.call(this, states)
    const revisions = states.map(({ revision }) => revision)
    state.first = Math.min(state.first, performance.now())
    state.records += states.length
    state.inOrder &&= Math.min(...revisions) >= highest
    highest = Math.max(highest, ...revisions)
  }
  return Object.assign(state, {
    restore: () => {
      SemanticIndex.prototype.bring = bring
    },
  })
}
