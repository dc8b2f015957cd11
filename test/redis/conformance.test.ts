import { describeBackend } from '../conformance/index.js'
import { memories } from './support/memories.js'

const { create, reopen, dispose } = memories()

describeBackend({
  name: 'redis',
  create: async (options) => create({ events: true, ...options }),
  reopen: async (memory, options) => reopen(memory, { events: true, ...options }),
  dispose,
  lacks: ['documents', 'textSearch', 'vectorSearch'],
  withoutVectors: 'Redis keeps no vectors',
})
