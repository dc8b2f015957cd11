import { connect, createServer, type Socket } from 'node:net'

/** A proxy that counts how often the client had to wait for the server: a round trip is a send after an answer. */
export async function countingProxy(url: string) {
  const { hostname, port } = new URL(url)
  let turns = 0
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(Number(port), hostname)
    near.setNoDelay(true)
    far.setNoDelay(true)
    let answered = true
    near.on('data', (data) => {
      if (answered) turns++
      answered = false
      far.write(data)
    })
    far.on('data', (data) => {
      answered = true
      near.write(data)
    })
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one)
      one.on('close', () => other.destroy())
      one.on('error', () => other.destroy())
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const through = new URL(url)
  through.port = String((server.address() as { port: number }).port)
  return {
    url: through.href,
    /** Round trips of some work. */
    async count(work: () => Promise<unknown>): Promise<number> {
      turns = 0
      await work()
      return turns
    },
    async stop() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
