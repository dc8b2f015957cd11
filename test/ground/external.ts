import { type Engine, type Server, urlVariables } from './types.js'

/** A server that runs already: ours to use, not to stop. */
export function externalServer(engine: Engine, url: string): Server {
  const refuse = (wish: string): Error =>
    new Error(
      `${engine.label} at ${urlVariables[engine.name]} is not the test ground's own: ${wish}; start one with { own: true }`,
    )
  return {
    name: engine.name,
    url,
    external: true,
    port: portOf(engine, url),
    get pid(): number {
      throw refuse('its process id is unknown')
    },
    get folder(): string {
      throw refuse('its folder is unknown')
    },
    stop: async () => {},
    kill: () => Promise.reject(refuse('it cannot be killed')),
    shutdown: () => Promise.reject(refuse('it cannot be shut down')),
    start: () => Promise.reject(refuse('it cannot be started')),
    restart: () => Promise.reject(refuse('it cannot be restarted')),
    [Symbol.asyncDispose]: async () => {},
  }
}

const standardPorts = { postgresql: 5432, redis: 6379, chroma: 8000, qdrant: 6333 }
const schemePorts: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 }

function portOf(engine: Engine, url: string): number {
  if (!URL.canParse(url)) throw new Error(`${urlVariables[engine.name]} is not a URL`)
  const { port, protocol } = new URL(url)
  return port === '' ? (schemePorts[protocol] ?? standardPorts[engine.name]) : Number(port)
}
