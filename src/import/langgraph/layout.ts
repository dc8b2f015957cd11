import type { Layout } from '../sqlite.js'

/** `store` is what LangGraph for Python keeps beside its checkpoints; for Node there is none in SQLite. */
export const LANGGRAPH: Layout = {
  what: 'the file of a LangGraph SQLite checkpointer or store',
  from: '@langchain/langgraph-checkpoint-sqlite',
  marks: { checkpoints: 'checkpoint_id', store: 'prefix' },
  columns: {
    checkpoints: ['thread_id', 'checkpoint_ns', 'checkpoint_id', 'type', 'checkpoint'],
    writes: ['thread_id', 'checkpoint_ns', 'checkpoint_id'],
    store: ['prefix', 'key', 'value', 'created_at', 'updated_at'],
  },
}
