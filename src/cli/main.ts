#!/usr/bin/env node
import { createRequire } from 'node:module'
import { processIo } from './io.js'
import { run } from './program.js'

const { version } = createRequire(import.meta.url)('bruno-memory/package.json') as { version: string }
await run(process.argv.slice(2), processIo(), version)
