import type { StoredEntry } from '../contract/journal.js'
import type { Chain } from './chain.js'
import { clean } from './clean.js'
import { readWhat } from './entry.js'
import type { HandBack } from './hand-back.js'
import type { Member } from './member.js'
import type { ParkedEntry } from './types.js'

/** Looks at the stores between two looks at what others left in them. */
const SELDOM = 10
/** Parked entries that are shown. */
const SHOWN = 100

/** What goes on in the background: looks whether a backend is back, handing back, cleaning up. No call waits for it. */
export class Worker {
  #timer: NodeJS.Timeout | null = null
  #running: Promise<void> | null = null
  #stopped = false
  #looks = 0
  readonly #owner: string
  /** Stores that an outage left something in. */
  readonly #unclean = new Set<Member>()
  readonly #parked = new Map<Member, readonly ParkedEntry[]>()

  constructor(
    readonly chain: Chain,
    readonly handBack: HandBack,
  ) {
    this.#owner = chain.options.newId()
  }

  get parked(): readonly ParkedEntry[] {
    return [...this.#parked.values()].flat().slice(0, SHOWN)
  }

  start(): void {
    for (const member of this.chain.members.slice(1)) this.#unclean.add(member)
    this.#schedule(0)
  }

  #schedule(delay: number): void {
    if (this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#running = this.#look().finally(() => this.#schedule(this.chain.options.checkInterval))
    }, delay)
    // A process that is done is not kept alive: the next one finishes what is left.
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    if (this.#timer) clearTimeout(this.#timer)
    await this.#running
    await this.handBack.idle()
  }

  async #look(): Promise<void> {
    const { chain } = this
    const seldom = this.#looks++ % SELDOM === 0
    // One that is away may take long to say so, and the others are not to wait.
    for (const member of chain.members) if (!member.healthy && member !== chain.first) void member.probe()
    if (chain.outage) {
      this.#unclean.add(chain.outage.member)
      await chain.standing.refresh().catch(() => undefined)
    }
    if (chain.outage || (seldom && (await this.#someOutage()))) await this.#tryHandBack()
    // A process that has not noticed yet that an outage ended still reads there, for one look at most.
    else await this.#clean()
    if (seldom || chain.outage) await this.#count()
  }

  async #tryHandBack(): Promise<void> {
    const { first } = this.chain
    if (await first.probe()) await this.handBack.run()
  }

  /** Whether a process that died, or another that cannot reach the first backend, left something to be handed back. */
  async #someOutage(): Promise<boolean> {
    for (const member of this.#standIns())
      if ((await member.journal.state().catch(() => null))?.phase === 'outage') {
        this.#unclean.add(member)
        return true
      }
    return false
  }

  #standIns(): readonly Member[] {
    return this.chain.members.slice(1).filter((member) => member.healthy)
  }

  async #clean(): Promise<void> {
    for (const member of this.#unclean) {
      if (!member.healthy) continue
      try {
        while (!this.#stopped && !this.chain.outage && !(await clean(member, this.#owner)));
        this.#unclean.delete(member)
      } catch {
        // The store is asked again at the next look.
      }
    }
  }

  async #count(): Promise<void> {
    for (const member of this.#standIns())
      try {
        member.counts = await member.journal.counts()
        const parked = member.counts.parked > 0 ? await member.journal.read(['parked', 'kept'], SHOWN) : []
        this.#parked.set(
          member,
          parked.map((entry) => shown(member, entry)),
        )
      } catch {
        // What was known stands.
      }
  }
}

function shown(member: Member, { id, tenantId, createdAt, reason, what }: StoredEntry): ParkedEntry {
  let verbs: string[] = []
  try {
    verbs = readWhat(what).acts.map((act) => `${act.repository}.${act.name}`)
  } catch {
    // That is the reason it is parked for.
  }
  return { id, tenantId, at: createdAt, verbs, reason: reason ?? '', backend: member.name }
}
