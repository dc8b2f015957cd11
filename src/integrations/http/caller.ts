import type { HttpRequest } from './types.js'

type Claims = Readonly<Record<string, unknown>>

/** What the authentication in front of us says of the caller: `req.auth` (its `payload`, if it has one), else `req.user`. */
export function claimsOf({ auth, user }: HttpRequest): unknown {
  const claims = auth ?? user
  const { payload } = (typeof claims === 'object' && claims !== null ? claims : {}) as { payload?: unknown }
  return typeof payload === 'object' && payload !== null ? payload : claims
}

/** Who the caller is: the claim `sub`, else `id`. */
export function userOf(request: HttpRequest): string | undefined {
  const claims = claimsOf(request)
  if (typeof claims !== 'object' || claims === null) return undefined
  const { sub, id } = claims as Claims
  const user = sub ?? id
  return typeof user === 'string' || typeof user === 'number' ? String(user) : undefined
}
