import { compareText } from '../../repository/matches.js'

/**
 * Listings are sorted sets whose scores are all 0, so that Redis keeps them in the order of their members' bytes. A
 * member begins with its sort key in a fixed width and ends with the id.
 */

/** Makes every instant of the years 1 to 9999 a number that is not negative. */
const BEFORE_1970 = 62_135_596_800_000

const INSTANT_WIDTH = 15
export const POSITION_WIDTH = 16
const FRACTION_WIDTH = 16

const instantKey = (at: Date): string => String(at.getTime() + BEFORE_1970).padStart(INSTANT_WIDTH, '0')
export const positionKey = (position: number): string => String(position).padStart(POSITION_WIDTH, '0')

/** Of a number from 0 on: the bits of a double are in the order of the numbers. */
export function fractionKey(value: number): string {
  const bits = Buffer.alloc(8)
  bits.writeDoubleBE(value)
  return bits.toString('hex')
}

export const datedMember = (at: Date, id: string): string => instantKey(at) + id
export const idOfDated = (member: string): string => member.slice(INSTANT_WIDTH)

export const rankedMember = (importance: number, at: Date, id: string): string =>
  fractionKey(importance) + instantKey(at) + id
export const idOfRanked = (member: string): string => member.slice(FRACTION_WIDTH + INSTANT_WIDTH)

/** Bounds of a range, as Redis takes them. */
export const FIRST = '-'
export const LAST = '+'
export const from = (member: string): string => `[${member}`
export const beyond = (member: string): string => `(${member}`
/** Behind everything that begins with this: nothing in UTF-8 comes behind this character. */
export const behind = (prefix: string): string => `(${prefix}\u{10ffff}`

/** Whether a member lies between two bounds, as Redis would say. */
export function within(member: string, min: string, max: string): boolean {
  return above(member, min) && below(member, max)
}

function above(member: string, min: string): boolean {
  if (min === FIRST) return true
  const order = compareText(member, min.slice(1))
  return min.startsWith('[') ? order >= 0 : order > 0
}

function below(member: string, max: string): boolean {
  if (max === LAST) return true
  const order = compareText(member, max.slice(1))
  return max.startsWith('[') ? order <= 0 : order < 0
}
