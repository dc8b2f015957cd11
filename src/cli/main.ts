#!/usr/bin/env node
import { createRequire } from 'node:module'
import { setFlagsFromString } from 'node:v8'
import { processIo } from './io.js'
import { run } from './program.js'

// Whoever reads has seen enough, as in `… | head`: that is no crash. A command for which it is a failure listens itself.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE' || process.stdout.listenerCount('error') > 1) return
  process.stderr.write(`error: standard output cannot be written (${error.code})\n`)
  process.exit(1)
})

// A busy machine lets the heap outgrow what is used several times over; files of any size go through here.
setFlagsFromString('--heap-growing-percent=30')

const { version } = createRequire(import.meta.url)('bruno-memory/package.json') as { version: string }
await run(process.argv.slice(2), processIo(), version)
