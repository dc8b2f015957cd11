interface Told {
  readonly status?: unknown
  readonly statusCode?: unknown
  readonly code?: unknown
  readonly cause?: unknown
  readonly requestID?: unknown
  readonly headers?: unknown
  readonly response?: { readonly status?: unknown; readonly headers?: unknown } | null
}

const toldBy = (error: unknown): Told | null => (typeof error === 'object' && error !== null ? error : null)

/** The HTTP status of a failure, wherever its client puts it. */
export function statusOf(error: unknown): number | null {
  const told = toldBy(error)
  for (const value of [told?.status, told?.statusCode, told?.response?.status, told?.code])
    if ((typeof value === 'number' || typeof value === 'string') && /^[45]\d\d$/.test(String(value)))
      return Number(value)
  return null
}

/** A code such as `rate_limit_exceeded` or `ECONNRESET`, of the failure or of what it came from. */
function codeOf(error: unknown): string | null {
  for (let told = toldBy(error), depth = 0; told && depth < 5; told = toldBy(told.cause), depth++)
    // Anything else in its place may be a quotation.
    if (typeof told.code === 'string' && /^([A-Z][A-Z_]+|[a-z]+(_[a-z]+)+)$/.test(told.code)) return told.code
  return null
}

/** Milliseconds that a service asks to be left alone for, where it fails so; 0 where it does not ask. */
export function waitOf(error: unknown): number {
  if (error instanceof ServiceFailure) return error.wait
  const told = toldBy(error)
  const headers = (told?.headers ?? told?.response?.headers) as Record<string, unknown> | Headers | null | undefined
  const of = (name: string): number => {
    const value = typeof headers?.get === 'function' ? headers.get(name) : (headers as Record<string, unknown>)?.[name]
    // The header may also be a date, which is no number.
    return Math.max(0, Number(value) || 0)
  }
  return of('retry-after-ms') || of('retry-after') * 1000
}

/** A failure of a service without the service's words, which may quote the text or the key. */
export class ServiceFailure extends Error {
  override readonly name = 'ServiceFailure'
  readonly status: number | null
  readonly code: string | null
  /** What the service calls the request by. */
  readonly requestId: string | null
  /** Milliseconds that the service asks to be left alone for. */
  readonly wait: number

  constructor(error: unknown) {
    const [status, code] = [statusOf(error), codeOf(error)]
    super([status === null ? 'no answer' : `status ${status}`, code].filter((part) => part !== null).join(', '))
    this.status = status
    this.code = code
    const { requestID } = toldBy(error) ?? {}
    this.requestId = typeof requestID === 'string' && /^req[\w-]{1,100}$/.test(requestID) ? requestID : null
    this.wait = waitOf(error)
  }

  /** The failure of a service; what has no status is left as it is, for it may be the caller's own. */
  static of(error: unknown): unknown {
    return error instanceof ServiceFailure || statusOf(error) === null ? error : new ServiceFailure(error)
  }
}
