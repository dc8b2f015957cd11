// A process that uses a folder: node --import tsx local-user.ts OPTIONS MODE, where OPTIONS are those of openLocal.
//   hold   prints the port and stays
//   write  prints the port, then the id of each vector that the server has acknowledged, without an end
//   leave  prints the port and has nothing more to do, without having closed
// What openLocal throws is printed as { error, message }.
import { type LocalOptions, openLocal } from '../../src/backends/chromadb/local.js'
import { vectorsOf } from './vectors.js'

const [options = '{}', mode = 'hold'] = process.argv.slice(2)
const print = (value: unknown): void => console.log(JSON.stringify(value))

try {
  const server = await openLocal(JSON.parse(options) as LocalOptions)
  print({ port: server.port })
  if (mode === 'hold') setInterval(() => undefined, 60_000)
  if (mode === 'write') {
    const vectors = await vectorsOf(server.port)
    for (let id = 0; ; id += 1) {
      await vectors.add({ ids: [`${id}`], embeddings: [[id, 1, 0]] })
      print({ id: `${id}` })
    }
  }
} catch (error) {
  print({ error: (error as Error).name, message: (error as Error).message })
}
