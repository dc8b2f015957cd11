import { v7 } from 'uuid'
import { type Prepared, prepare } from './backend.js'
import type { MemberEntry } from './contract/composition.js'
import type { Memory } from './contract/memory.js'
import { entryOf, knownOf } from './entries.js'
import { ConfigurationError } from './errors.js'
import { FallbackBackend } from './fallback/backend.js'
import { replayable } from './fallback/replay-clock.js'
import type { FallbackMemory, SwitchListener } from './fallback/types.js'
import { makeMemory } from './memory.js'
import { suggestion } from './model/parse.js'

/** A backend of a chain: its name, its URL, or one of them with options of its own, which win over the shared ones. */
export type FallbackEntry = MemberEntry

/** Options of the chain; all others are shared: each backend is given those that it knows. */
export interface FallbackOptions {
  /**
   * Milliseconds after which a call that is not answered makes its backend be looked at, default 500. One that does
   * not answer then is away. A backend's own option of this name is given in its entry.
   */
  readonly callTimeout?: number | undefined
  /** Milliseconds between two looks whether the first backend is back, default 500. */
  readonly checkInterval?: number | undefined
  /** Told when another backend serves from now on. What it throws is passed over. */
  readonly onSwitch?: SwitchListener | undefined
  readonly [shared: string]: unknown
}

const OWN = ['callTimeout', 'checkInterval', 'onSwitch']

function milliseconds(options: FallbackOptions, name: 'callTimeout' | 'checkInterval', fallback: number): number {
  const value = options[name] ?? fallback
  if (!Number.isInteger(value) || value < 10 || value > 2 ** 31 - 1)
    throw new ConfigurationError(`option ${name}: must be a number of milliseconds of at least 10`)
  return value
}

function prepareAll(backends: readonly FallbackEntry[], options: FallbackOptions): readonly Prepared[] {
  if (!Array.isArray(backends) || backends.length < 2)
    throw new ConfigurationError('name at least two backends, the first one being the one that should serve')
  if (typeof options !== 'object' || options === null) throw new ConfigurationError('options must be an object')
  const entries = backends.map((given, i) => entryOf(given, `backends[${i}]`))
  const known = [...new Set([...OWN, ...entries.flatMap((entry) => entry.known)])]
  for (const [name, value] of Object.entries(options))
    if (!known.includes(name) && !entries.some((entry) => entry.knows(name, value)))
      throw new ConfigurationError(`option ${name}: is not known to any of these backends${suggestion(name, known)}`)
  const { callTimeout: _t, checkInterval: _i, onSwitch: _s, clock = Date.now, ...shared } = options
  return entries.map((entry) => {
    const given = { clock, ...knownOf(shared, entry), ...entry.own } as { clock: () => number }
    if (typeof given.clock !== 'function') throw new ConfigurationError('option clock: must be a function')
    const prepared = prepare(entry.backend, { ...given, clock: replayable(given.clock) })
    // The journal of an outage is written in the write's own transaction, and is worked off in others.
    if (!prepared.capabilities.atomicUnit)
      throw new ConfigurationError(`${prepared.name} has no transactions, and cannot be one of several backends`)
    return prepared
  })
}

/**
 * Opens a memory over several backends: the first healthy one serves. While the first is away, another one takes the
 * writes and keeps a journal of them; when the first is back, it is given them, and serves again.
 *
 * @throws ConfigurationError for an unknown option, with the nearest known one, and for a backend that is not fit to
 * stand in; ConnectionError where none can be opened, with the reason of each.
 */
export async function createWithFallback(
  backends: readonly FallbackEntry[],
  options: FallbackOptions = {},
): Promise<FallbackMemory> {
  const prepared = prepareAll(backends, options)
  const [first] = prepared as [Prepared]
  const { clock = Date.now, newId = () => v7(), tenancy = 'optional', tokenizer } = first.options
  const chain = {
    callTimeout: milliseconds(options, 'callTimeout', 500),
    checkInterval: milliseconds(options, 'checkInterval', 500),
    clock,
    newId,
  }
  if (options.onSwitch !== undefined && typeof options.onSwitch !== 'function')
    throw new ConfigurationError('option onSwitch: must be a function')
  const backend = new FallbackBackend(prepared, chain)
  if (options.onSwitch) backend.onSwitch(options.onSwitch)
  const { capabilities } = backend
  const memory = makeMemory({
    capabilities,
    tokenizer,
    tenancy,
    clock,
    telemetry: first.telemetry,
    load: async () => backend,
  })
  await memory.connect()
  return withFallback(memory, backend)
}

const withFallback = (memory: Memory, backend: FallbackBackend): FallbackMemory =>
  Object.assign(memory, {
    status: () => backend.status(),
    onSwitch: (listener: SwitchListener) => backend.onSwitch(listener),
    handBack: () => backend.handBack(),
  })
