// Runs Chroma's command line from its native binding: node chroma-run.mjs BINDING run --path … --host … --port …
import { createRequire } from 'node:module'

const [binding, ...args] = process.argv.slice(2)
createRequire(import.meta.url)(binding).cli(['chroma', ...args])
