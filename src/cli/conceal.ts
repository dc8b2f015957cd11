const USER_INFO = /:\/\/([^/?#\s]*:.*)@/s
const IN_QUERY = /[?&](?:password|token|api_?key)=[^&#\s]+/i
/** Of the examples in our own messages. */
const EXAMPLE = 'user:password'

/**
 * Takes out of a message what the given texts hold of passwords: a URL in the wrong place is quoted by whoever expected a
 * file's name or an option there.
 */
export function concealing(given: readonly (string | undefined)[]): (message: string) => string {
  const secrets = new Set<string>()
  for (const text of given) {
    const userInfo = USER_INFO.exec(text ?? '')?.[1]
    const inQuery = IN_QUERY.exec(text ?? '')?.[0]
    if (userInfo !== undefined && userInfo !== EXAMPLE)
      secrets.add(userInfo).add(`${userInfo.slice(userInfo.indexOf(':'))}@`)
    if (inQuery !== undefined) secrets.add(inQuery.slice(1))
  }
  // The longest first: one may be a part of another.
  const all = [...secrets].filter((secret) => secret.length > 2).sort((a, b) => b.length - a.length)
  return (message) => all.reduce((text, secret) => text.replaceAll(secret, '…'), message)
}
