const WORDS =
  'weekend lake painting book family job counseling support group school children pottery camping trip birthday concert music guitar running marathon charity race mental health adoption agency research interview city summer beach sunset mountain hike kitchen recipe bread cake garden flowers doctor dentist insurance train ticket hotel flight museum friend sister brother mother father dog cat walk park bicycle repair chain wheel laptop code bug release meeting deadline project holiday lisbon porto zurich kyoto rain snow cold warm coffee tea dinner lunch breakfast'.split(
    ' ',
  )
const SMALL =
  'the a of to and in my your with for on we they she he it was is had will would that this about after before'.split(
    ' ',
  )

/** Sentences of 8 to 30 words, half of them small words, from a fixed seed: every run has the same. */
export function sentences(seed = 42): () => string {
  let state = seed
  const random = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
  return () =>
    Array.from({ length: 8 + random(23) }, () =>
      random(2) ? WORDS[random(WORDS.length)] : SMALL[random(SMALL.length)],
    ).join(' ')
}
