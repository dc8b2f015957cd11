import type { ServerResponse } from 'node:http'
import { type HealthyMemory, isReady } from '../http/health.js'
import type { Middleware } from '../http/types.js'

export interface HealthOptions {
  readonly memory: HealthyMemory
  /** In front of `/live` and `/ready`, default `/health`. */
  readonly path?: string | undefined
  /** Milliseconds that the store may take to answer, default 2,000. */
  readonly patience?: number | undefined
}

function say(res: ServerResponse, well: boolean): void {
  res.statusCode = well ? 200 : 503
  res.setHeader('Content-Type', 'application/json')
  res.setHeader('Cache-Control', 'no-store')
  res.end(JSON.stringify({ status: well ? 'up' : 'down' }))
}

/**
 * Answers `GET /health/live`, always 200, and `GET /health/ready`: 503 while the store does not answer, and while
 * `closeOnShutdown` is at work.
 */
export function healthRoutes({ memory, path = '/health', patience }: HealthOptions): Middleware {
  return (req, res, next) => {
    const asked = (req.originalUrl ?? req.url ?? '').split('?', 1)[0]
    const known = asked === `${path}/live` || asked === `${path}/ready`
    if (!known || (req.method !== 'GET' && req.method !== 'HEAD')) return next()
    if (asked === `${path}/live`) return say(res, true)
    void isReady(memory, patience).then((well) => say(res, well))
  }
}
