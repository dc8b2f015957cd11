import type { TransferEnd, TransferOptions, TransferOutlook, TransferReport } from '../contract/transfer-plan.js'
import { ConfigurationError } from '../errors.js'
import { checkId, suggestion } from '../model/parse.js'
import { RECORD_KINDS, type RecordKind } from '../model/records.js'
import { transfer } from '../run-transfer.js'
import { duration, number } from './format.js'
import { onInterrupt } from './interrupt.js'
import { type CliIo, line } from './io.js'
import { wholeNumber } from './open.js'
import { Progress } from './progress.js'
import { TransferMeter } from './transfer-meter.js'
import { planLines } from './transfer-report.js'

const MAX_BATCH = 100_000
const MAX_LIMIT = 1_000_000_000

export interface Options {
  readonly from?: string
  readonly to?: string
  readonly attach?: string[]
  readonly online?: true
  readonly soak?: string
  readonly switchBack?: true
  readonly dryRun?: true
  readonly verifyOnly?: true
  readonly verify: boolean
  readonly resume?: true
  readonly force?: true
  readonly merge?: true
  readonly abandon?: true
  readonly tenant?: string
  readonly kinds?: string
  readonly allowOmit?: true
  readonly reembed?: true
  readonly embeddings?: string
  readonly quarantine?: string
  readonly quarantineLimit?: string
  readonly batch?: string
  readonly jobs?: string
  readonly json?: true
}

/** Refuses options that mean nothing beside another one. */
export function refuse(
  options: Options,
  without: readonly (readonly [name: keyof Options, flag: string])[],
  beside: string,
): void {
  for (const [name, flag] of without)
    if (options[name] !== undefined) throw new ConfigurationError(`${flag} does not go with ${beside}`)
}

function kindsOf(text: string | undefined): RecordKind[] | undefined {
  return text?.split(',').map((given) => {
    const kind = RECORD_KINDS.find((each) => each === given.trim())
    if (kind) return kind
    const known = `known are ${RECORD_KINDS.join(', ')}`
    throw new ConfigurationError(`--kinds: ${given.trim()} is no kind${suggestion(given, RECORD_KINDS)}; ${known}`)
  })
}

export function optionsOf(
  ends: { readonly from: TransferEnd; readonly to: TransferEnd },
  options: Options,
): TransferOptions {
  const { tenant, quarantineLimit: limit, batch } = options
  if (tenant !== undefined) checkId(tenant, '--tenant')
  return {
    ...ends,
    kinds: kindsOf(options.kinds),
    allowOmit: options.allowOmit,
    tenantId: tenant,
    dryRun: options.dryRun,
    verifyOnly: options.verifyOnly,
    verify: options.verify,
    resume: options.resume,
    force: options.force,
    merge: options.merge,
    jobs: options.jobs,
    reembed: options.reembed,
    quarantineFile: options.quarantine,
    quarantineLimit: limit === undefined ? undefined : wholeNumber(limit, '--quarantine-limit', 0, MAX_LIMIT),
    ...(batch !== undefined && { limits: { records: wholeNumber(batch, '--batch', 1, MAX_BATCH) } }),
  }
}

/** Runs it, with its plan and its progress shown. */
export async function transferring<R extends TransferReport = TransferReport>(
  options: TransferOptions,
  io: CliIo,
  quiet: boolean,
  move: (options: TransferOptions) => Promise<R> = transfer as never,
): Promise<{ readonly report: R; readonly outlook: TransferOutlook | undefined }> {
  const { verify, verifyOnly } = options
  const progress = new Progress(io, 'records', quiet)
  const meter = new TransferMeter(Date.now, { verify: verify !== false, copy: !verifyOnly })
  const interrupt = onInterrupt(() => line(io.stderr, 'stopping at the next checkpoint (Ctrl-C again ends at once)'))
  let outlook: TransferOutlook | undefined
  try {
    const report = await move({
      ...options,
      signal: interrupt.signal,
      onPlan: (plan, cost) => {
        outlook = cost
        if (!quiet) for (const text of planLines(plan, cost)) line(io.stdout, text)
      },
      onProgress: (now) => {
        const { done, rate, left } = meter.update(now)
        const remaining = left === null ? '' : `, ${duration(left)} left`
        const text = () => `${number(now.records)} of ${number(now.total)}, ${number(Math.round(rate))}/s${remaining}`
        progress.show({ done: Math.round(done * 1000), total: 1000 }, text, now.phase)
      },
    })
    return { report, outlook }
  } finally {
    progress.stop()
    interrupt.dispose()
  }
}
