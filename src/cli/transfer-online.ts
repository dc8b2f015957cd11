import type { OnlineOptions, OnlineReport, TransferEnd } from '../contract/transfer-plan.js'
import { ConfigurationError } from '../errors.js'
import { abandonOnline, switchBackOnline, transferOnline } from '../run-online.js'
import { number } from './format.js'
import { type CliIo, line, printJson } from './io.js'
import { wholeNumber } from './open.js'
import { exitCodeOf, printReport, reportDocument } from './transfer-report.js'
import { type Options, optionsOf, refuse, transferring } from './transfer-run.js'

interface Ends {
  readonly from: TransferEnd
  readonly to: TransferEnd
}

/** Options that mean nothing for a store in use: all of it is moved, and compared. */
const WITHOUT_ONLINE = [
  ['verifyOnly', '--verify-only'],
  ['merge', '--merge'],
  ['tenant', '--tenant'],
  ['kinds', '--kinds'],
  ['allowOmit', '--allow-omit'],
  ['reembed', '--reembed'],
  ['quarantine', '--quarantine'],
  ['quarantineLimit', '--quarantine-limit'],
  ['jobs', '--jobs'],
] as const

const MAX_SOAK = 30 * 24 * 3600

/** Moves a memory that is in use. */
export async function online(ends: Ends, options: Options, io: CliIo): Promise<void> {
  refuse(options, WITHOUT_ONLINE, '--online')
  if (!options.verify)
    throw new ConfigurationError('--no-verify does not go with --online: what differs is not switched')
  if (options.switchBack) return back(ends, options, io)
  if (options.abandon) return abandon(ends, options, io)
  const soak = options.soak === undefined ? 0 : wholeNumber(options.soak, '--soak', 1, MAX_SOAK) * 1000
  const wanted = optionsOf(ends, options)
  const { report, outlook } = await transferring<OnlineReport>(wanted, io, options.json === true, (given) =>
    transferOnline({ ...given, verify: undefined, soak } as OnlineOptions),
  )
  const { dryRun = false } = options
  if (options.json) printJson(io, { ...reportDocument(report, outlook, dryRun), online: report.online })
  else {
    printReport(io, report, { dryRun, verifyOnly: false, quarantineFile: undefined })
    if (!dryRun) for (const text of linesOf(report)) line(io.stdout, text)
  }
  io.setExitCode(exitCodeOf(report))
}

function linesOf({ online: { moved, applied, pause, probes, soaked } }: OnlineReport): string[] {
  if (!moved) return ['nothing was switched: go on with --resume, or give it up with --abandon']
  const lines = [
    `switched: the target has taken its place; ${number(applied)} records that were written meanwhile were brought over`,
    `writers waited ${Math.round(pause)} ms; ${number(probes)} questions were answered alike by both sides`,
  ]
  if (soaked > 0) lines.push(`${number(soaked)} records were brought back to the old store since`)
  return lines
}

async function back(ends: Ends, { json }: Options, io: CliIo): Promise<void> {
  const { pause, applied } = await switchBackOnline(ends)
  io.setExitCode(0)
  if (json) return printJson(io, { switchedBack: true, applied, pause })
  line(io.stdout, `switched back: writers waited ${Math.round(pause)} ms; ${number(applied)} records were brought back`)
}

async function abandon(ends: Ends, { json }: Options, io: CliIo): Promise<void> {
  await abandonOnline(ends)
  io.setExitCode(0)
  if (json) return printJson(io, { abandoned: true })
  line(io.stdout, 'given up: the source is as it was, and what was copied stays in the target')
}
