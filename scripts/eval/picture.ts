export interface Chart {
  readonly title: string
  readonly groups: readonly string[]
  /** Each value from 0 to 1, one for each group. */
  readonly series: readonly { readonly name: string; readonly values: readonly number[] }[]
}

const COLOURS = ['#9aa5b1', '#d9a441', '#2f7d6b']
const BAR = 28
const GAP = 26
const HEIGHT = 240
const LEFT = 46
const TOP = 48

const escaped = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;')

/** Grouped bars as an SVG document. */
export function bars({ title, groups, series }: Chart): string {
  const wide = series.length * BAR + GAP
  const width = LEFT + groups.length * wide + 20
  const y = (value: number): number => TOP + HEIGHT * (1 - value)
  const text = (x: number, at: number, content: string, more = '') =>
    `<text x="${x}" y="${at.toFixed(1)}" ${more}>${escaped(content)}</text>`
  const lines = [0, 0.25, 0.5, 0.75, 1].map(
    (value) =>
      `<line x1="${LEFT}" x2="${width - 20}" y1="${y(value)}" y2="${y(value)}" stroke="#dddddd"/>` +
      text(LEFT - 8, y(value) + 4, value.toFixed(2), 'text-anchor="end"'),
  )
  const columns = groups.flatMap((group, i) => {
    const x = LEFT + GAP / 2 + i * wide
    const drawn = series.map(({ values }, j) => {
      const value = values[i] ?? 0
      const at = x + j * BAR
      const bar = `<rect x="${at}" y="${y(value).toFixed(1)}" width="${BAR - 3}" height="${(HEIGHT * value).toFixed(1)}" fill="${COLOURS[j % COLOURS.length]}"/>`
      return bar + text(at + (BAR - 3) / 2, y(value) - 4, value.toFixed(2), 'text-anchor="middle" font-size="9"')
    })
    return [...drawn, text(x + (wide - GAP) / 2, TOP + HEIGHT + 18, group, 'text-anchor="middle"')]
  })
  const legend = series.map(({ name }, j) => {
    const x = LEFT + j * 90
    return (
      `<rect x="${x}" y="${TOP + HEIGHT + 32}" width="12" height="12" fill="${COLOURS[j % COLOURS.length]}"/>` +
      text(x + 17, TOP + HEIGHT + 42, name)
    )
  })
  const head = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${TOP + HEIGHT + 60}" font-family="sans-serif" font-size="12">`
  const back = `<rect width="100%" height="100%" fill="white"/>`
  return [head, back, text(LEFT, 26, title, 'font-size="16"'), ...lines, ...columns, ...legend, '</svg>', ''].join('\n')
}
