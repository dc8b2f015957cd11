import { createHash } from 'node:crypto'
import type { UnitOptions } from '../../contract/memory.js'
import { ValidationError } from '../../errors.js'
import { canonicalJson } from '../../model/canonical.js'
import { userOf } from './caller.js'
import type { HttpRequest } from './types.js'

export interface IdempotencyOptions<R = HttpRequest> {
  /** Default `Idempotency-Key`. */
  readonly header?: string | undefined
  /** Refuses a request without the header. Default false. */
  readonly required?: boolean | undefined
  /** Whose key it is: one caller is never given the answer of another. Default the claim `sub`, else `id`. */
  readonly user?: ((req: R) => string | undefined) | undefined
  /** What a request asks for, default its method, its path and its parsed body. */
  readonly fingerprint?: ((req: R) => string) | undefined
}

const hash = (...parts: readonly string[]): string => createHash('sha256').update(JSON.stringify(parts)).digest('hex')

/** A body as one text; of one that nobody parsed, what its headers say of it. */
function bodyText({ body, headers }: HttpRequest): string {
  if (typeof body === 'string') return body
  if (body instanceof Uint8Array) return Buffer.from(body).toString('base64')
  if (body === undefined) return `${headers['content-type'] ?? ''} ${headers['content-length'] ?? ''}`
  return canonicalJson(JSON.parse(JSON.stringify(body)) as Parameters<typeof canonicalJson>[0])
}

const asked = (request: HttpRequest): string =>
  hash(request.method ?? '', request.originalUrl ?? request.url ?? '', bodyText(request))

/** The operation that a request names, if it names one. */
export function operationOf<R extends HttpRequest>(
  request: R,
  options: IdempotencyOptions<R>,
): Pick<UnitOptions, 'operationId' | 'fingerprint'> {
  if (['GET', 'HEAD', 'OPTIONS'].includes(request.method ?? '')) return {}
  const { header = 'Idempotency-Key', required = false, user = userOf, fingerprint = asked } = options
  const key = request.headers[header.toLowerCase()]
  if (key === undefined && !required) return {}
  if (typeof key !== 'string' || key === '' || key.length > 255)
    throw new ValidationError(header, 'must be one key of 1 to 255 characters')
  const caller = user(request)
  return { operationId: `http:${hash(caller ?? '', key)}`, fingerprint: hash(fingerprint(request)) }
}
