// Runs a PGlite in memory behind a socket: node pglite-run.mjs HOST PORT CONNECTIONS READY. The file READY then holds this
// process's id: a probe of the port would take the one connection that there is.
import { writeFileSync } from 'node:fs'
import { PGlite } from '@electric-sql/pglite'
import { vector } from '@electric-sql/pglite-pgvector'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'

const [host, port, connections, ready] = process.argv.slice(2)
const db = await PGlite.create({ extensions: { vector } })
await new PGLiteSocketServer({ db, host, port: Number(port), maxConnections: Number(connections) }).start()
writeFileSync(ready, String(process.pid))
