import { type Command, Option } from 'commander'
import type { Context, ContextStrategy } from '../contract/context.js'
import { checkId } from '../model/parse.js'
import { number, printable } from './format.js'
import { type CliIo, line, printJson } from './io.js'
import { embeddingsOf, embeddingsOption, findStore, storeOptions, wholeNumber, withMemory } from './open.js'

interface Options {
  readonly url?: string
  readonly language?: string
  readonly embeddings?: string
  readonly tenant: string
  readonly user: string
  readonly conversation?: string
  readonly text?: string
  readonly namespace?: string[]
  readonly strategy: ContextStrategy
  readonly maxTokens: string
  readonly maxMessages: string
  readonly json?: true
}

export function register(program: Command, io: CliIo): void {
  const command = program
    .command('context')
    .summary('show what would go into a prompt')
    .description(
      'Puts together what a model should be told: pinned system messages, what is known about the user, documents, and\n' +
        'the newest turns of a conversation, within a number of tokens.',
    )
    .requiredOption('--user <id>', 'whose context')
  embeddingsOption(storeOptions(command))
    .option('--tenant <id>', 'the tenant', 'default')
    .option('--conversation <id>', 'the conversation that goes on')
    .option('--text <text>', 'what to look for (default: the newest message of the user)')
    .option('--namespace <name...>', 'look into the documents of these namespaces too')
    .addOption(
      new Option('--strategy <name>', 'what fills the room')
        .choices(['recent', 'relevant', 'important', 'mixed'])
        .default('mixed'),
    )
    .option('--max-tokens <n>', 'at most this many tokens', '4000')
    .option('--max-messages <n>', 'at most this many messages', '50')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      '\nExample:\n  bruno-memory context --user ada --text "where does she live" --max-tokens 1000',
    )
    .action((options: Options) => context(options, io))
}

async function context(options: Options, io: CliIo): Promise<void> {
  const maxTokens = wholeNumber(options.maxTokens, '--max-tokens', 1, 1_000_000)
  const maxMessages = wholeNumber(options.maxMessages, '--max-messages', 0, 1000)
  const { tenant, user, conversation, text, namespace, strategy } = options
  checkId(tenant, '--tenant')
  checkId(user, '--user')
  const store = findStore(options, io)
  const embeddings = embeddingsOf(options, io)
  await withMemory(store, { ...options, ...(embeddings && { embeddings }) }, async (memory) => {
    const made = await memory.forTenant(tenant).context({
      userId: user,
      conversationId: conversation,
      text,
      namespaces: namespace,
      strategy,
      maxTokens,
      maxMessages,
    })
    if (options.json) printJson(io, { ...made, llm: made.toLLM() })
    else print(io, made)
  })
  io.setExitCode(0)
}

function print(io: CliIo, made: Context): void {
  for (const { role, content, tool_calls } of made.toLLM()) {
    line(io.stdout, `${role}:`)
    for (const each of content.split('\n')) line(io.stdout, `  ${printable(each)}`)
    if (tool_calls) line(io.stdout, `  ${printable(JSON.stringify(tool_calls))}`)
  }
  const { tokens, messages, memories, documents, truncated } = made
  line(
    io.stderr,
    `${number(tokens)} tokens: ${messages.length} messages${truncated ? ' (older ones left out)' : ''}, ` +
      `${memories.length} memories, ${documents.length} documents`,
  )
}
