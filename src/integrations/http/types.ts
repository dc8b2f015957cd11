import type { IncomingMessage, ServerResponse } from 'node:http'

/** A request of Express 4 or 5, of Nest on Express, or of plain Node. */
export interface HttpRequest extends IncomingMessage {
  readonly originalUrl?: string | undefined
  readonly hostname?: string | undefined
  readonly ip?: string | undefined
  /** What a body parser made of the body. */
  readonly body?: unknown
  /** What an authentication says of the caller. */
  readonly auth?: unknown
  readonly user?: unknown
}

/** Goes on to the next handler, or to the error handlers. */
export type Next = (error?: unknown) => void

/** A handler as Express 4 and 5, Connect and `app.use` of Nest take it. */
export type Middleware<R extends HttpRequest = HttpRequest> = (req: R, res: ServerResponse, next: Next) => void

/** A handler of errors as Express 4 and 5 take it. */
export type ErrorMiddleware = (error: unknown, req: HttpRequest, res: ServerResponse, next: Next) => void
