import type { Layout } from '../sqlite.js'

/** The history as mem0 for Node keeps it (`memory_history`) and for Python (`history`), and the vectors of the former. */
export const MEM0: Layout = {
  what: 'a history file of mem0, or its file of vectors',
  from: 'mem0ai',
  marks: { memory_history: 'memory_id', history: 'memory_id', vectors: 'payload' },
  columns: {
    memory_history: ['memory_id', 'new_value', 'action', 'created_at', 'updated_at', 'is_deleted'],
    history: ['memory_id', 'new_memory', 'event', 'created_at', 'updated_at', 'is_deleted'],
    messages: ['id', 'session_scope', 'role', 'content', 'name', 'created_at'],
    vectors: ['id', 'payload'],
  },
}
