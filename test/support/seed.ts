import fc from 'fast-check'

/**
 * Property tests take the same samples in every run, so that a failure is of what was changed; `FC_SEED` gives others, and
 * `npm run torture properties` takes ever new ones.
 */
fc.configureGlobal({ seed: Number(process.env.FC_SEED ?? 20_261_123) })
