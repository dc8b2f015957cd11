/** A line of a guide as a shell takes it apart: its words, without quotes and comment. */
export function wordsOf(line: string): string[] {
  const words = line.matchAll(/(?:^|\s)(#.*$)|((?:'[^']*'|"[^"]*"|[^\s'"])+)/g)
  const found: string[] = []
  for (const [, comment, word] of words) {
    if (comment !== undefined) break
    if (word !== undefined) found.push(word.replace(/'([^']*)'|"([^"]*)"/g, (_, one, two) => one ?? two ?? ''))
  }
  return found
}

export interface Said {
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/** The commands of a guide's `sh` blocks, each with what was exported before it. */
export function commandsOf(markdown: string): Said[] {
  const commands: Said[] = []
  let env: Record<string, string> = {}
  for (const [, block = ''] of markdown.matchAll(/```sh\n(.*?)```/gs))
    for (const line of block.split('\n')) {
      const [first, ...rest] = wordsOf(line)
      if (first === 'export')
        env = {
          ...env,
          ...Object.fromEntries(rest.map((word) => word.split(/=(.*)/s).slice(0, 2) as [string, string])),
        }
      else if (first === 'npx' && rest[0] === 'bruno-memory') commands.push({ args: rest.slice(1), env })
    }
  return commands
}
