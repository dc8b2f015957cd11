// `npm run transfer -- --from URL --to URL`: the command of the same name, from the sources.
import { createRequire } from 'node:module'
import { processIo } from '../src/cli/io.js'
import { run } from '../src/cli/program.js'

const { version } = createRequire(import.meta.url)('../package.json') as { version: string }
await run(['transfer', ...process.argv.slice(2)], processIo(), version)
