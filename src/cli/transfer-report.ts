import type { TransferSide } from '../contract/transfer.js'
import type {
  Quarantined,
  RecordKey,
  TransferDifference,
  TransferOutlook,
  TransferPlan,
  TransferReport,
  TransferVerification,
} from '../contract/transfer-plan.js'
import { RECORD_KINDS } from '../model/records.js'
import { duration, number, plural, printable, table } from './format.js'
import { INTERRUPTED } from './interrupt.js'
import { type CliIo, line } from './io.js'

/** An exit code: both sides are not the same, or not all of it was taken. */
export const DIFFERENT = 3

/** Keys that are listed for people. */
const LISTED = 20

const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((n, each) => n + each, 0)

/** By kind, in their order. */
export function countsOf(plan: TransferPlan): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const kind of RECORD_KINDS) {
    const ranges = plan.ranges.filter((range) => range.kind === kind)
    if (ranges.length > 0 || plan.scope.kinds.includes(kind))
      counts[kind] = ranges.reduce((n, { records }) => n + records, 0)
  }
  return counts
}

const sideText = ({ backend, place, schema }: TransferSide): string =>
  printable(`${backend} ${place}${schema === null ? '' : ` (${schema})`}`)

/** What will be done, and what it costs. */
export function planLines(plan: TransferPlan, outlook: TransferOutlook | undefined): string[] {
  const { from, to, scope, omitted, vectors } = plan
  const counts = countsOf(plan)
  const lines = [
    `from      ${sideText(from)}`,
    `to        ${sideText(to)}`,
    ...(scope.tenantId === undefined ? [] : [`tenant    ${printable(scope.tenantId)}`]),
    table(Object.entries(counts).map(([kind, n]) => [plural(kind).padEnd(15), number(n)])),
  ]
  for (const [kind, n] of Object.entries(omitted))
    lines.push(`left out: ${number(n)} ${plural(kind)}, which ${to.backend} cannot hold`)
  lines.push(vectorsText(vectors, plan, outlook))
  if (plan.made.length > 0 && sum(counts) > 0)
    lines.push(`${plan.made.map(plural).join(' and ')} are made for them: the source keeps none`)
  if (plan.present > 0) lines.push(`the target holds ${number(plan.present)} records already, which stay`)
  return lines
}

function vectorsText(
  vectors: TransferPlan['vectors'],
  { from, to }: TransferPlan,
  outlook: TransferOutlook | undefined,
): string {
  if (vectors === 'carried') return 'vectors are carried as they are'
  if (vectors === 'none')
    return from.space === null
      ? 'there are no vectors'
      : `vectors are left out${to.space ? ': they are of another model' : ''}`
  const cost = outlook ? `: ${number(outlook.toEmbed)} texts to embed` : ''
  return `vectors are made anew${cost}`
}

/** What `--json` prints: the report, with the plan's ranges as their number. */
export function reportDocument(report: TransferReport, outlook: TransferOutlook | undefined, dryRun: boolean) {
  const { plan, ...rest } = report
  const { ranges, ...shown } = plan
  return {
    dryRun,
    plan: { ...shown, ranges: ranges.length, counts: countsOf(plan) },
    outlook: outlook ?? null,
    ...rest,
  }
}

export function exitCodeOf({ interrupted, quarantinedCount, verified, sourceChanged }: TransferReport): number {
  if (interrupted) return INTERRUPTED
  return quarantinedCount > 0 || sourceChanged || (verified !== null && !verified.equal) ? DIFFERENT : 0
}

interface About {
  readonly dryRun: boolean
  readonly verifyOnly: boolean
  readonly quarantineFile: string | undefined
}

export function printReport(io: CliIo, report: TransferReport, { dryRun, verifyOnly, quarantineFile }: About): void {
  const { copied, present, interrupted, resumed, sourceChanged, verified, seconds } = report
  if (dryRun) {
    line(io.stdout, 'nothing was written')
    return
  }
  if (!verifyOnly) {
    const there = present > 0 ? `, ${number(present)} were there already` : ''
    line(io.stdout, `${resumed ? 'went on, ' : ''}${number(sum(copied))} records copied${there}`)
  }
  printQuarantined(io, report, quarantineFile)
  if (sourceChanged) line(io.stderr, 'the source was written to meanwhile: run it again when nobody writes')
  if (verified) printVerified(io, verified)
  const end = interrupted
    ? report.complete || verifyOnly
      ? 'stopped while both sides were compared: --verify-only does that again'
      : 'stopped at a checkpoint: run the same command with --resume to go on from here'
    : 'done'
  line(io.stdout, `${end}${interrupted ? '' : ` in ${duration(seconds * 1000)}`}${conclusion(report, verifyOnly)}`)
}

function conclusion(report: TransferReport, verifyOnly: boolean): string {
  if (report.interrupted) return ''
  if (exitCodeOf(report) !== 0) return ', but not all is the same'
  return report.verified ? '' : verifyOnly ? '' : ', not verified (--verify-only does)'
}

function printQuarantined(
  io: CliIo,
  { quarantined, quarantinedCount: n }: TransferReport,
  file: string | undefined,
): void {
  if (n === 0) return
  line(io.stderr, `${number(n)} records were not taken${file === undefined ? '' : `, see ${file}`}:`)
  listed(
    io.stderr,
    quarantined,
    (each: Quarantined) => `  ${each.kind} ${keyText(each)} ${each.reason}`,
    n - quarantined.length,
  )
}

function printVerified(io: CliIo, { equal, counts, differences, different: differ }: TransferVerification): void {
  const records = Object.values(counts).reduce((n, { source }) => n + source, 0)
  line(
    io.stdout,
    equal
      ? `verified: ${number(records)} records are the same on both sides`
      : `verified: ${number(differ)} records differ:`,
  )
  listed(io.stdout, differences, differenceText, differ - differences.length)
}

const keyText = ({ tenantId, scope, id }: RecordKey): string =>
  JSON.stringify([tenantId, ...(scope ? [scope] : []), id])

const differenceText = ({ what, fields, ...key }: TransferDifference): string =>
  `  ${what} ${key.kind} ${keyText(key)}${fields.length > 0 ? ` in ${fields.join(', ')}` : ''}`

function listed<T>(stream: NodeJS.WritableStream, items: readonly T[], text: (item: T) => string, more = 0): void {
  for (const item of items.slice(0, LISTED)) line(stream, printable(text(item)))
  const left = items.length - Math.min(items.length, LISTED) + more
  if (left > 0) line(stream, `  and ${number(left)} more (--json lists ${number(items.length)})`)
}
