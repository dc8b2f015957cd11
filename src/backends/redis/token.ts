import { randomBytes } from 'node:crypto'

/** Makes tokens that no other process and no earlier run makes: what a write leaves behind to be known by. */
export function tokenMaker(): () => string {
  const own = randomBytes(9).toString('base64url')
  let made = 0
  return () => `${own}${(++made).toString(36)}`
}
