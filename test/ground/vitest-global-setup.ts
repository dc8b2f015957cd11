import type { TestProject } from 'vitest/node'
import { type ServerUrls, startServers } from './index.js'

declare module 'vitest' {
  export interface ProvidedContext {
    /** One server of each kind for the whole run; tests keep apart by databases, prefixes and collections of their own. */
    servers: ServerUrls
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const running = await startServers()
  project.provide('servers', running.urls)
  return running.stop
}
