// Who is looked at. Each is imported only when it is its turn: they run under different versions of Node.
export const SUBJECTS = {
  'bruno-memory, SQLite + Qdrant': {
    open: async () => (await import('./bruno-memory.mjs')).openBrunoMemory,
    peer: false,
  },
  'Mastra, LibSQL + Qdrant': { open: async () => (await import('./mastra.mjs')).makeMastra('qdrant'), peer: true },
  'Mastra, LibSQL alone': { open: async () => (await import('./mastra.mjs')).makeMastra('libsql'), peer: true },
  'mem0, Qdrant': { open: async () => (await import('./mem0.mjs')).openMem0, peer: true },
}
