import type { Command } from 'commander'
import type { RetentionPolicy, RetentionReport } from '../contract/erase.js'
import { checkId } from '../model/parse.js'
import { number, table } from './format.js'
import { type CliIo, line, printJson } from './io.js'
import {
  embeddingsOf,
  embeddingsOption,
  findStore,
  followersOf,
  followersOptions,
  type StoreOptions,
  storeOptions,
  wholeNumber,
  withMemory,
} from './open.js'

interface Options extends StoreOptions {
  readonly tenant?: string
  readonly messageDays?: string
  readonly messagesPerConversation?: string
  readonly inactiveConversationDays?: string
  readonly memoryDays?: string
  readonly endedSessionDays?: string
  readonly system?: true
  readonly purge?: true
  readonly dryRun?: true
  readonly yes?: true
  readonly json?: true
}

const MAX_DAYS = 36_525

export function register(program: Command, io: CliIo): void {
  const command = program
    .command('retention')
    .summary('remove what a policy does not keep')
    .description(
      'Removes old messages, conversations, memories and sessions, in one tenant or all, in small steps and while the memory\n' +
        'is in use. Without --yes it only counts. Deletion leaves bytes in files; `erase` is what removes these.',
    )
  embeddingsOption(followersOptions(storeOptions(command)))
    .option('--tenant <id>', 'only this tenant (default: all)')
    .option('--message-days <n>', 'remove messages older than n days')
    .option('--messages-per-conversation <n>', 'keep the newest n messages of each conversation')
    .option('--inactive-conversation-days <n>', 'remove conversations in which nothing was written for n days')
    .option('--memory-days <n>', 'remove memories older than n days')
    .option('--ended-session-days <n>', 'remove sessions that ended n days ago')
    .option('--system', 'remove system messages too')
    .option('--purge', 'remove what has expired too')
    .option('--dry-run', 'only count')
    .option('--yes', 'really remove')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      '\nExit code 0: done; 1: --yes is missing.\n' +
        'Example:\n  bruno-memory retention --message-days 365 --ended-session-days 30 --yes',
    )
    .action((options: Options) => retention(options, io))
}

function policyOf(options: Options): RetentionPolicy {
  const of = (value: string | undefined, option: string, max = MAX_DAYS): number | undefined =>
    value === undefined ? undefined : wholeNumber(value, option, 0, max)
  return {
    messageDays: of(options.messageDays, '--message-days'),
    messagesPerConversation: of(options.messagesPerConversation, '--messages-per-conversation', 1_000_000_000),
    inactiveConversationDays: of(options.inactiveConversationDays, '--inactive-conversation-days'),
    memoryDays: of(options.memoryDays, '--memory-days'),
    endedSessionDays: of(options.endedSessionDays, '--ended-session-days'),
    keepSystem: options.system !== true,
  }
}

async function retention(options: Options, io: CliIo): Promise<void> {
  const { tenant: tenantId } = options
  if (tenantId !== undefined) checkId(tenantId, '--tenant')
  const policy = policyOf(options)
  const store = findStore(options, io)
  const embeddings = embeddingsOf(options, io)
  const dryRun = options.dryRun === true || options.yes !== true
  const opening = { ...options, ...(embeddings && { embeddings }), together: followersOf(options, io) }
  await withMemory(store, opening, async (memory) => {
    const report = await memory.retain(policy, { tenantId, dryRun })
    const purging = tenantId === undefined ? () => memory.sweep() : () => memory.forTenant(tenantId).purgeExpired()
    const purged = options.purge && !dryRun ? await purging() : null
    if (options.json) printJson(io, { ...report, ...(purged && { purged }) })
    else print(io, report)
  })
  if (dryRun && !options.dryRun) line(io.stderr, 'nothing was removed: add --yes')
  io.setExitCode(dryRun && !options.dryRun ? 1 : 0)
}

function print(io: CliIo, { dryRun, tenants, ...counts }: RetentionReport): void {
  line(io.stdout, table(Object.entries(counts).map(([kind, n]) => [kind, number(n)])))
  line(io.stdout, `${dryRun ? 'would be removed from' : 'removed from'} ${number(tenants)} tenants`)
}
