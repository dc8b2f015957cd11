/** Text for a terminal: control characters, which could move the cursor or change its colours, become spaces or marks. */
export const printable = (text: string): string =>
  text
    .replace(/[\t\n\r]+/g, ' ')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not reach a terminal
    .replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\ufffd')

/** `1,234,567`. */
export const number = (n: number): string => n.toLocaleString('en-US')

/** `12.3 MB`, in units of a thousand, as disks count. */
export function bytes(n: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = n
  let unit = 0
  while (value >= 999.95 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}

/** `2 h 5 min`, `3 min 20 s`, `4.2 s`. */
export function duration(ms: number): string {
  const seconds = ms / 1000
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 60
    ? `${minutes} min ${Math.round(seconds % 60)} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** Columns of text, the first aligned left and the others right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)))
  const cell = (text: string, i: number): string =>
    i === 0 ? text.padEnd(widths[i] as number) : text.padStart(widths[i] as number)
  return rows.map((row) => row.map(cell).join('  ').trimEnd()).join('\n')
}

/** `messages`, `memories`. */
export const plural = (kind: string): string => (kind.endsWith('y') ? `${kind.slice(0, -1)}ies` : `${kind}s`)
