import type { Backend, BackendScope } from '../contract/backend.js'

type Run = <T>(work: (backend: Backend) => Promise<T>) => Promise<T>
type Method = (...args: readonly unknown[]) => unknown
type Parts = Readonly<Record<string, unknown>>

/** One tenant of a store that may change places: each call asks where it is. */
export function movingScope(tenantId: string, serving: () => Backend, run: Run): BackendScope {
  const made = new Map<string, unknown>()
  const part = (backend: Backend, name: string): unknown => (backend.scope(tenantId) as unknown as Parts)[name]
  const verb = (name: string): Method => {
    return (...args) =>
      run(async (backend) => (part(backend, name) as Method).apply(backend.scope(tenantId), [...args]))
  }
  return new Proxy({} as BackendScope, {
    get(_, name) {
      if (typeof name !== 'string') return undefined
      const now = part(serving(), name)
      if (now === undefined || made.has(name)) return now && made.get(name)
      const kept =
        typeof now === 'function'
          ? verb(name)
          : repository((backend) => part(backend, name) as Parts, now as Parts, run)
      made.set(name, kept)
      return kept
    },
    has: (_, name) => typeof name === 'string' && part(serving(), name) !== undefined,
  })
}

function repository(of: (backend: Backend) => Parts, first: Parts, run: Run): unknown {
  const verbs = new Map<string, Method>()
  return new Proxy(first, {
    get(_, name) {
      if (typeof name !== 'string' || typeof first[name] !== 'function') return Reflect.get(first, name)
      let verb = verbs.get(name)
      if (!verb) {
        verb = (...args) =>
          run(async (backend) => {
            const repository = of(backend)
            return (repository[name] as Method).apply(repository, [...args])
          })
        verbs.set(name, verb)
      }
      return verb
    },
  })
}
