import type { Layout } from '../sqlite.js'

export const MASTRA: Layout = {
  what: 'the file of a Mastra LibSQL store',
  from: '@mastra/libsql',
  marks: { mastra_threads: 'id' },
  needs: ['mastra_messages'],
  columns: {
    mastra_threads: ['id', 'resourceId', 'title', 'metadata', 'createdAt', 'updatedAt'],
    mastra_messages: ['id', 'thread_id', 'content', 'role', 'type', 'createdAt'],
    mastra_resources: ['id', 'workingMemory', 'metadata', 'createdAt', 'updatedAt'],
    mastra_observational_memory: [
      'id',
      'lookupKey',
      'resourceId',
      'threadId',
      'activeObservations',
      'generationCount',
      'createdAt',
      'updatedAt',
    ],
  },
}
