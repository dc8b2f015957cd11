import { ConfigurationError } from '../../errors.js'

type Called = (...args: readonly unknown[]) => unknown

/** The members of an object that is known by now, or that is promised. */
export type Members = (name: string) => unknown
export type Target = () => Members | Promise<Members>

/** Members that answer something else than a promise, and cannot wait. */
const SYNCHRONOUS = ['each', 'on', 'consume', 'rateLimiter']

function tooEarly(): never {
  throw new ConfigurationError('the tenant is not known yet: put TenantGuard in front of the handler')
}

function callOf(target: Target, name: string): Called {
  const call = (members: Members, args: readonly unknown[]): unknown => (members(name) as Called)(...args)
  return (...args) => {
    const members = target()
    if (!(members instanceof Promise)) return call(members, args)
    return SYNCHRONOUS.includes(name) ? tooEarly() : members.then((known) => call(known, args))
  }
}

function inside(target: Target, name: string): Target {
  const enter =
    (members: Members): Members =>
    (inner) =>
      (members(name) as Readonly<Record<string, unknown>>)[inner]
  return () => {
    const members = target()
    return members instanceof Promise ? members.then(enter) : enter(members)
  }
}

/** Stands for an object of this shape that is known when it is used: every call asks anew who is meant. */
export function standIn<T extends object>(shape: T, target: Target): T {
  const made = new Map<string, unknown>()
  const make = (name: string, like: unknown): unknown => {
    if (typeof like === 'function') return callOf(target, name)
    if (typeof like === 'object' && like !== null) return standIn(like, inside(target, name))
    const members = target()
    return members instanceof Promise ? tooEarly() : members(name)
  }
  return new Proxy(Object.create(null) as T, {
    get: (_, name) => {
      // Whoever awaits or prints it asks for members that are not ours.
      if (typeof name !== 'string' || !Object.hasOwn(shape, name)) return undefined
      if (!made.has(name)) made.set(name, make(name, shape[name as keyof T]))
      return made.get(name)
    },
    has: (_, name) => Object.hasOwn(shape, name),
  })
}
