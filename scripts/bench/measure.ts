/** One side of a comparison: does the same work once. */
export type Side = () => unknown

export interface Comparison {
  readonly name: string
  readonly ours: Side
  readonly raw: Side
  /** Our share of the raw driver's speed that is asked for. */
  readonly goal: number
  readonly rounds: number
  /** Calls per round, where one is too short for the clock. */
  readonly calls?: number
  /** Calls of each side before it is measured. */
  readonly warm?: number
}

export interface Result {
  readonly name: string
  /** Medians in microseconds per call. */
  readonly ours: number
  readonly raw: number
  /** The median of the rounds' ratios, raw time over ours: 1 is as fast as the raw driver. */
  readonly ratio: number
  readonly goal: number
}

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] as number

async function time(side: Side, calls: number): Promise<number> {
  const started = process.hrtime.bigint()
  for (let i = 0; i < calls; i++) await side()
  return Number(process.hrtime.bigint() - started) / 1000 / calls
}

/** Runs both sides in turn, first one then the other first, so that a drift of the machine meets both. */
export async function compare({ name, ours, raw, goal, rounds, calls = 1, warm = 20 }: Comparison): Promise<Result> {
  // A server runs for days: both sides are measured when the compiler has seen them, in turn so that both files grow.
  for (let i = 0; i < warm; i += 20) {
    await time(ours, 20)
    await time(raw, 20)
  }
  const a: number[] = []
  const b: number[] = []
  for (let round = 0; round < rounds; round++) {
    if (round % 2 === 0) a.push(await time(ours, calls))
    b.push(await time(raw, calls))
    if (round % 2 === 1) a.push(await time(ours, calls))
  }
  return { name, ours: median(a), raw: median(b), ratio: median(a.map((x, i) => (b[i] as number) / x)), goal }
}

export function print(results: readonly Result[]): void {
  console.log('| what | ours µs | raw µs | share of raw | goal |')
  console.log('| --- | ---: | ---: | ---: | ---: |')
  for (const r of results)
    console.log(
      `| ${r.name} | ${r.ours.toFixed(1)} | ${r.raw.toFixed(1)} | ${r.ratio.toFixed(2)}× | ${r.goal}× ${r.ratio >= r.goal ? '✓' : '✗'} |`,
    )
}
