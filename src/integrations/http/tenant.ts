import { isIP } from 'node:net'
import { ConfigurationError } from '../../errors.js'
import { claimsOf } from './caller.js'
import { TenantError } from './refusal.js'
import type { HttpRequest } from './types.js'

/** Where a request says whose memory it is about. */
export type TenantSource<R = HttpRequest> =
  /** A header that is believed: only behind a gateway that sets it. */
  | { readonly header: string }
  /** The first of three or more labels of the host's name, or the one label in front of a domain. */
  | { readonly subdomain: true | { readonly of: string } }
  /** A claim of who is signed in; `from` default `req.auth`, else `req.user`. */
  | { readonly claim: string; readonly from?: ((req: R) => unknown) | undefined }
  | ((req: R) => string | null | undefined | Promise<string | null | undefined>)

export interface TenantOptions<R = HttpRequest> {
  readonly tenant: TenantSource<R>
  /** What a tenant may look like, default letters, digits and `._:@-`, at most 255, the first one a letter or a digit. */
  readonly pattern?: RegExp | undefined
}

export type TenantResolver<R> = (request: R) => string | Promise<string>

const PATTERN = /^[A-Za-z0-9][A-Za-z0-9._:@-]{0,254}$/

function fromHeader(given: string) {
  const name = given.toLowerCase()
  return ({ headers, rawHeaders }: HttpRequest): unknown => {
    const value = headers[name]
    // Node joins headers of one name by a comma: two tenants would look like a third.
    if (typeof value === 'string' && value.includes(',')) {
      const times = rawHeaders.filter((each, i) => i % 2 === 0 && each.toLowerCase() === name).length
      if (times > 1) throw new TenantError(`must be one header ${name}`)
    }
    if (value === undefined || value === '') throw new TenantError(`is missing: send the header ${name}`)
    return value
  }
}

/** The name of the host, without its port. */
function hostOf({ hostname, headers }: HttpRequest): string {
  const host = hostname ?? headers.host ?? ''
  return host.replace(/:\d*$/, '').replace(/\.$/, '').toLowerCase()
}

function fromSubdomain(of: true | { readonly of: string }) {
  const domain = of === true ? null : `.${of.of.toLowerCase()}`
  return (request: HttpRequest): unknown => {
    const host = hostOf(request)
    const labels = host.split('.')
    const label = domain === null ? (labels.length > 2 ? labels[0] : '') : host.slice(0, -domain.length)
    const outside = domain !== null && !host.endsWith(domain)
    if (outside || !label || label === 'www' || label.includes('.') || isIP(host.replace(/^\[|\]$/g, '')))
      throw new TenantError('is missing: it is the first part of the name of the host')
    return label
  }
}

function fromClaim<R extends HttpRequest>(claim: string, from: (req: R) => unknown) {
  return (request: R): unknown => {
    const claims = from(request)
    if (typeof claims !== 'object' || claims === null) throw new TenantError('is known by who signs in', 401)
    const value = (claims as Readonly<Record<string, unknown>>)[claim]
    if (value === undefined || value === null || value === '')
      throw new TenantError(`is missing: nobody with a claim ${claim} is signed in`, 401)
    return value
  }
}

function readerOf<R extends HttpRequest>(source: TenantSource<R>): (request: R) => unknown {
  if (typeof source === 'function') return source
  const { header, subdomain, claim, from } = (source ?? {}) as Readonly<Record<string, unknown>>
  if (typeof header === 'string' && header) return fromHeader(header)
  if (subdomain === true) return fromSubdomain(true)
  if (typeof (subdomain as { of?: unknown } | undefined)?.of === 'string')
    return fromSubdomain(subdomain as { of: string })
  if (typeof claim === 'string' && claim)
    return fromClaim(claim, (from as ((req: R) => unknown) | undefined) ?? claimsOf)
  throw new ConfigurationError('option tenant: must be { header }, { subdomain }, { claim } or a function')
}

/**
 * Finds the tenant of requests. It throws a `TenantError` where there is none or an odd one, and never takes another.
 *
 * @throws ConfigurationError for a source that is none.
 */
export function tenantResolver<R extends HttpRequest>(options: TenantOptions<R>): TenantResolver<R> {
  const read = readerOf(options.tenant)
  const { pattern = PATTERN } = options
  const check = (value: unknown): string => {
    if (value === undefined || value === null || value === '') throw new TenantError('is missing')
    if (typeof value !== 'string' || value.search(pattern) < 0) throw new TenantError('is not what a tenant looks like')
    return value
  }
  return (request) => {
    const found = read(request)
    return found instanceof Promise ? found.then(check) : check(found)
  }
}
