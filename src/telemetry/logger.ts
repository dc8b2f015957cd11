import type { Logger } from '../contract/telemetry.js'
import { orNull } from './telemetry.js'

/** The same logger, by which nothing fails: it is told from the midst of other work. */
export function guarded(logger: Logger): Logger {
  const at =
    (level: keyof Logger): Logger['info'] =>
    (message, fields) =>
      // `console` would write the word "undefined".
      void orNull(() => (fields ? logger[level](message, fields) : logger[level](message)))
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
