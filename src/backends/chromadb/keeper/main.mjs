// A program of its own, started by local mode with the Node that runs the application. Plain JavaScript, because it
// must start without a loader from the source tree as well as from the built package.
//   keep FOLDER PROGRAMS                 owns the server of one folder
//   run FOLDER PORT KIND PROGRAM         is the server, or stands over it, and ends with the keeper
import { keep } from './keep.mjs'
import { run } from './run.mjs'

const [role, folder, ...rest] = process.argv.slice(2)

// What is written here and by the server is for the owner's eyes only.
process.umask(0o077)

if (role === 'keep') await keep(folder, JSON.parse(rest[0]))
else if (role === 'run') await run(folder, Number(rest[0]), { kind: rest[1], path: rest[2] })
else throw new Error('this program is started by the ChromaDB backend, not by hand')
