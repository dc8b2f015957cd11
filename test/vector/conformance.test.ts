import { describeBackend } from '../conformance/index.js'
import { KINDS, memoriesOf } from './memories.js'

for (const kind of KINDS) {
  const { create, reopen, dispose } = memoriesOf(kind)
  describeBackend({
    name: kind.name,
    create,
    reopen,
    dispose,
    lacks: ['users', 'conversations', 'sessions', 'textSearch', 'events', 'rateLimits', 'atomicUnit'],
    deviations: {
      'no-atomic-batch': 'each point is written by itself',
      'no-append-conflict': 'two writers of one new id at once are not told apart',
      'own-cache': 'an engine of vectors is no cache',
      ...(kind.name === 'chromadb' && { 'no-compare-and-set': 'Chroma has no conditional write' }),
    },
  })
}
