import { Outbox } from '../../../src/backends/sql/outbox.js'
import { HttpClient } from '../../../src/backends/vector/http.js'
import { SemanticIndex } from '../../../src/backends/vector/semantic.js'
import { ComposedBackend } from '../../../src/composed/backend.js'
import { ReadCache } from '../../../src/composed/read-cache.js'
import { CacheChanges } from '../../../src/unit/cache.js'

/** Where a process is killed. The steps of writers come first. */
export const WRITER_STEPS = ['committed', 'before unit cache', 'unit cache applied'] as const
export const SETTLER_STEPS = [
  'claimed',
  'vectors kept',
  'half told',
  'told',
  'row gone',
  'before invalidation',
  'invalidated',
] as const
export type Step = (typeof WRITER_STEPS)[number] | (typeof SETTLER_STEPS)[number]

/** The whole process, at once: nothing of this turn is done any more. */
function die(): never {
  process.kill(process.pid, 'SIGKILL')
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

type Method = (this: unknown, ...args: never[]) => unknown

function around(prototype: object, name: string, make: (method: Method) => Method): void {
  const methods = prototype as Record<string, Method>
  methods[name] = make(methods[name] as Method)
}

const before = (reached: (args: readonly never[]) => void) => (method: Method) =>
  function (this: unknown, ...args: never[]) {
    reached(args)
    return method.apply(this, args)
  }

const after = (reached: (args: readonly never[], answer: unknown) => void) => (method: Method) =>
  async function (this: unknown, ...args: never[]) {
    const answer = await method.apply(this, args)
    reached(args, answer)
    return answer
  }

const some = (answer: unknown): boolean => Array.isArray(answer) && answer.length > 0

/** Kills this process when it comes to a step for the nth time. */
export function dieAt(step: Step, nth: number): void {
  let left = nth
  const reached = (): void => {
    if (--left <= 0) die()
  }
  const made = (states: unknown): boolean =>
    (states as readonly { hash?: Buffer }[]).some(({ hash }) => hash !== undefined && hash.length > 0)
  let telling = 0
  const steps: { readonly [S in Step]: () => void } = {
    committed: () => around(ComposedBackend.prototype, 'wrote', before(reached)),
    'before unit cache': () =>
      around(
        CacheChanges.prototype,
        'applyAfter',
        before(([told]) => told && reached()),
      ),
    'unit cache applied': () =>
      around(
        CacheChanges.prototype,
        'applyAfter',
        (method) =>
          function (this: unknown, told: never) {
            return method.call(this, (told && (async () => reached())) as never)
          },
      ),
    claimed: () =>
      around(
        Outbox.prototype,
        'claim',
        after((_, taken) => some(taken) && reached()),
      ),
    'vectors kept': () =>
      around(
        SemanticIndex.prototype,
        'bring',
        before(([states]) => made(states) && reached()),
      ),
    'half told': () => {
      around(
        SemanticIndex.prototype,
        'bring',
        (method) =>
          async function (this: unknown, ...args: never[]) {
            telling++
            return (method.apply(this, args) as Promise<unknown>).finally(() => telling--)
          },
      )
      around(
        HttpClient.prototype,
        'call',
        after(() => telling > 0 && reached()),
      )
    },
    told: () => around(SemanticIndex.prototype, 'bring', after(reached)),
    'row gone': () => around(Outbox.prototype, 'finish', after(reached)),
    'before invalidation': () => around(ReadCache.prototype, 'invalidate', before(reached)),
    invalidated: () => around(ReadCache.prototype, 'invalidate', after(reached)),
  }
  steps[step]()
}
