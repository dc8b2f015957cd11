type Class = abstract new (...args: never[]) => object

/** Decorators of a method, and of its parameters in their order. */
export interface MethodDecorators {
  readonly on: readonly MethodDecorator[]
  readonly params?: readonly ParameterDecorator[]
}

/** Applies decorators as a compiler with `experimentalDecorators` does; the tests are compiled without. */
export function decorate<C extends Class>(
  target: C,
  on: readonly ClassDecorator[],
  params: readonly ParameterDecorator[] = [],
  methods: Readonly<Record<string, MethodDecorators>> = {},
): C {
  for (const [name, method] of Object.entries(methods)) {
    method.params?.forEach((each, i) => void each(target.prototype, name, i))
    const descriptor = Object.getOwnPropertyDescriptor(target.prototype, name) as PropertyDescriptor
    for (const each of method.on.toReversed()) each(target.prototype, name, descriptor)
    Object.defineProperty(target.prototype, name, descriptor)
  }
  params.forEach((each, i) => void each(target, undefined, i))
  for (const each of on.toReversed()) each(target as never)
  return target
}
