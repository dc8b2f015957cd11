/** An offset has seconds too where it is older than the zones. */
const FORM = /^(\d{4})-(\d\d)-(\d\d) (\d\d:\d\d:\d\d)(\.\d+)?([+-])(\d\d)(?::?(\d\d))?(?::?(\d\d))?$/
const ZERO = 48

function digits(text: string, at: number, n: number): number {
  let value = 0
  for (let i = at; i < at + n; i++) value = value * 10 + text.charCodeAt(i) - ZERO
  return value
}

/** A fraction of one to three digits, in milliseconds. */
const fraction = (text: string, n: number): number => digits(text, 20, n) * (n === 3 ? 1 : n === 2 ? 10 : 100)

let lastText = ''
let lastTime = 0

/**
 * An instant as PostgreSQL writes it, such as `2026-01-31 12:00:00.123+00`; the text itself where it is none. What
 * JavaScript reads of it by itself differs for the first years, and takes several times as long.
 */
export function parseInstant(text: string): Date | string {
  if (text === lastText) return new Date(lastTime)
  const n = text.length - 23
  const usual =
    n <= 3 && (n > 0 || text.length === 22) && text.endsWith('+00') && text.charCodeAt(4) === 45 && text[0] !== '0'
  const time = usual
    ? Date.UTC(
        digits(text, 0, 4),
        digits(text, 5, 2) - 1,
        digits(text, 8, 2),
        digits(text, 11, 2),
        digits(text, 14, 2),
        digits(text, 17, 2),
        n > 0 ? fraction(text, n) : 0,
      )
    : general(text)
  if (Number.isNaN(time)) return text
  lastText = text
  lastTime = time
  return new Date(time)
}

function general(text: string): number {
  const parts = FORM.exec(text)
  if (!parts) return Number.NaN
  const [, year, month, day, time, fraction = '', sign, hours, minutes = '0', seconds = '0'] = parts
  const offset = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
  return Date.parse(`${year}-${month}-${day}T${time}${fraction}Z`) - offset * (sign === '-' ? -1000 : 1000)
}
