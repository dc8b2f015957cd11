import { Agent, request } from 'node:http'
import { QdrantClient } from '@qdrant/js-client-rest'

/** The body of a filtered query for the ten nearest with their payloads. */
export const queryBody = (vector: Float32Array, filter: object) => ({
  query: Array.from(vector),
  filter,
  limit: 10,
  with_payload: true,
})

/** The server's own client, as it comes or with the header that keeps answers whole. */
export function rawClient(url: string, headers: Record<string, string> = {}): QdrantClient {
  const { hostname, port } = new URL(url)
  return new QdrantClient({ host: hostname, port: Number(port), checkCompatibility: false, headers })
}

/** `node:http` with kept connections, and nothing else. */
export function bareHttp(url: string) {
  const { hostname, port } = new URL(url)
  const agent = new Agent({ keepAlive: true })
  const send = (method: 'DELETE' | 'POST' | 'PUT', path: string, body: object): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const text = JSON.stringify(body)
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
      const sent = request({ agent, hostname, port, path, method, headers }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString())))
      })
      sent.on('error', reject)
      sent.end(text)
    })
  const post = (path: string, body: object): Promise<unknown> => send('POST', path, body)
  return { send, post, close: () => agent.destroy() }
}
