import { SingleBar } from 'cli-progress'
import { bytes, duration, number } from './format.js'
import { type CliIo, line } from './io.js'

const LINE_EVERY = 5000
const BAR_EVERY = 200

/** How far a long command is: a bar on a terminal, a line now and then elsewhere, nothing where a machine reads. */
export class Progress {
  readonly #start = Date.now()
  #bar: SingleBar | null = null
  #last = Date.now()
  constructor(
    readonly io: CliIo,
    /** What is counted: bytes of the files, or records. */
    readonly unit: 'bytes' | 'records',
    readonly quiet: boolean,
  ) {}

  update(done: number, total: number, detail: string): void {
    this.show({ done, total }, (now) => this.#text(done, total, now), detail)
  }

  /** The same, where the bar and the text beside it count different things. */
  show(
    { done, total }: { readonly done: number; readonly total: number },
    say: (now: number) => string,
    detail: string,
  ) {
    if (this.quiet) return
    const now = Date.now()
    const interactive = this.io.stderr.isTTY === true
    // From the start on: a short command says nothing, because its result follows at once.
    if (now - this.#last < (interactive ? BAR_EVERY : LINE_EVERY)) return
    this.#last = now
    const text = say(now)
    if (!interactive) line(this.io.stderr, `${text}, ${detail}`)
    else if (this.#bar) this.#bar.update(Math.min(done, total), { text, detail })
    else this.#startBar(done, total, { text, detail })
  }

  /** Removes the bar. */
  stop(): void {
    this.#bar?.stop()
    this.#bar = null
  }

  #text(done: number, total: number, now: number): string {
    const elapsed = Math.max(1, now - this.#start)
    const rate = (done / elapsed) * 1000
    const left = rate > 0 && total > done ? `, ${duration(((total - done) / rate) * 1000)} left` : ''
    const show = this.unit === 'bytes' ? bytes : number
    return `${show(done)} of ${show(total)}, ${show(Math.round(rate))}/s${left}`
  }

  #startBar(done: number, total: number, payload: object): void {
    this.#bar = new SingleBar({
      format: '{bar} {percentage}%  {text}  {detail}',
      stream: this.io.stderr,
      hideCursor: true,
      clearOnComplete: true,
      barsize: 24,
      barCompleteChar: '█',
      barIncompleteChar: '░',
    })
    this.#bar.start(total, Math.min(done, total), payload)
  }
}
