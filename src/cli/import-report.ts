import { BrunoMemoryError } from '../errors.js'
import type { ImportReport } from '../import/run.js'
import type { Source } from '../import/source.js'
import { type CountsByKind, type Finding, OUTCOMES } from '../import/tally.js'
import type { ImportFormat, Place } from '../import/types.js'
import { duration, number, plural, printable, table } from './format.js'
import { type CliIo, line } from './io.js'
import type { Store } from './open.js'

/** What `import --json` prints. */
export interface ImportSummary {
  readonly memory: string
  readonly dryRun: boolean
  readonly files: readonly { readonly path: string; readonly format: ImportFormat; readonly bytes: number }[]
  readonly counts: CountsByKind
  readonly skipped: Readonly<Record<string, number>>
  readonly refused: number
  readonly conflicts: number
  readonly adjusted: number
  /** The first of them; `--report` holds all. */
  readonly findings: readonly Finding[]
  readonly reportFile: string | null
  readonly interrupted: boolean
  readonly error: { readonly code: string; readonly message: string } | null
  readonly seconds: number
}

interface About {
  readonly sources: readonly Source[]
  readonly store: Store
  readonly findings: readonly Finding[]
  readonly seconds: number
  readonly options: { readonly dryRun?: true; readonly report?: string }
}

export function summaryOf(report: ImportReport, { sources, store, findings, seconds, options }: About): ImportSummary {
  const { counts, skipped, refused, conflicts, adjusted, interrupted, error } = report
  return {
    memory: store.name,
    dryRun: options.dryRun === true,
    files: sources,
    counts,
    skipped,
    refused,
    conflicts,
    adjusted,
    findings,
    reportFile: options.report ?? null,
    interrupted,
    error: error === null ? null : plainError(error),
    seconds,
  }
}

/** An error for a report: its code and message, which never carry content. */
function plainError(error: unknown): { code: string; message: string } {
  if (error instanceof BrunoMemoryError) return { code: error.code, message: error.message }
  return { code: 'unknown', message: error instanceof Error ? error.message : String(error) }
}

/** The table, then what was skipped; on standard error what needs attention. */
export function printReport(io: CliIo, summary: ImportSummary): void {
  const { counts, seconds, memory, dryRun, skipped } = summary
  const did = dryRun ? 'checked, nothing written:' : 'imported into'
  line(io.stdout, `${did} ${memory} in ${duration(seconds * 1000)}`)
  const used = OUTCOMES.filter((o) => Object.values(counts).some((c) => c[o] > 0) || o === 'imported')
  const heads: Record<string, string> = { imported: dryRun ? 'new' : 'imported', conflict: 'conflicts' }
  line(
    io.stdout,
    table([
      ['', 'read', ...used.map((o) => heads[o] ?? o)],
      ...Object.entries(counts).map(([kind, c]) => [plural(kind), number(c.read), ...used.map((o) => number(c[o]))]),
    ]),
  )
  for (const [reason, n] of Object.entries(skipped)) line(io.stdout, `skipped: ${number(n)} ${reason}`)
  printFindings(io, summary)
  line(io.stdout, conclusion(summary))
}

function printFindings(io: CliIo, { findings, refused, conflicts, adjusted, reportFile }: ImportSummary): void {
  for (const { outcome, kind, field, reason, place } of findings)
    line(io.stderr, `${outcome}: ${placeText(place)}: ${kind} ${printable(field)} ${reason}`)
  const more = refused + conflicts + adjusted - findings.length
  if (more > 0)
    line(io.stderr, `… and ${number(more)} more${reportFile ? ` in ${reportFile}` : ' (--report FILE lists all)'}`)
}

function placeText({ file, line: at, index, offset, table: rows, id }: Place): string {
  const inArray = index !== undefined ? ` element ${index} (byte ${offset})` : rows !== undefined ? ` ${rows}` : ''
  const where = at !== undefined ? ` line ${at}` : inArray
  return printable(`${file}${where}${id === undefined ? '' : ` id ${id}`}`)
}

function conclusion({ counts, refused, conflicts, adjusted, interrupted, error, dryRun }: ImportSummary): string {
  const sum = (outcome: 'read' | 'imported' | 'overwritten' | 'unchanged') =>
    Object.values(counts).reduce((n, c) => n + c[outcome], 0)
  if (error) return `not finished: ${error.message}`
  if (interrupted) return 'stopped: run the same command again to go on from here'
  if (refused + conflicts + adjusted > 0)
    return `done, but not all: ${number(refused)} refused, ${number(conflicts)} in conflict, ${number(adjusted)} adjusted`
  const wrote = sum('imported') + sum('overwritten')
  if (wrote === 0) return sum('unchanged') > 0 ? 'nothing changed: all of it was there already' : 'nothing to import'
  return dryRun ? 'all of it can be imported' : 'done'
}
