import Database from 'better-sqlite3'

/** One statement that ran. */
export interface Ran {
  readonly text: string
  readonly client: Database.Database
}

/** Everything that runs on any better-sqlite3 connection of this process, in order. */
export interface StatementSpy extends Disposable {
  readonly ran: readonly Ran[]
  /** Texts that ran since the last call, of the write connection alone where `writes`. */
  take(): readonly string[]
}

const EXECUTING = ['run', 'all', 'get'] as const

export function spyOnStatements(): StatementSpy {
  const proto = Database.prototype
  const { prepare, exec } = proto
  const ran: Ran[] = []
  let taken = 0
  proto.prepare = function spied(this: Database.Database, text: string) {
    const statement = prepare.call(this, text)
    const note = (): void => void ran.push({ text, client: this })
    for (const verb of EXECUTING) {
      const original = statement[verb] as (...args: unknown[]) => unknown
      Object.defineProperty(statement, verb, {
        value: (...args: unknown[]) => {
          note()
          return original.apply(statement, args)
        },
      })
    }
    return statement
  } as typeof prepare
  proto.exec = function spied(this: Database.Database, text: string) {
    ran.push({ text, client: this })
    return exec.call(this, text)
  }
  return {
    ran,
    take() {
      const texts = ran.slice(taken).map((each) => each.text)
      taken = ran.length
      return texts
    },
    [Symbol.dispose]() {
      proto.prepare = prepare
      proto.exec = exec
    },
  }
}

/** How often each text ran. */
export function tally(texts: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1)
  return counts
}

export const matching = (texts: readonly string[], pattern: RegExp): number =>
  texts.filter((text) => pattern.test(text)).length
