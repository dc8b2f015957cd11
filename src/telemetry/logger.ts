import type { Logger } from '../contract/telemetry.js'
import { orNull } from './telemetry.js'

/** The same logger, by which nothing fails: it is told from the midst of other work. */
export const guarded = (logger: Logger): Logger => ({
  debug: (message, fields) => void orNull(() => logger.debug(message, fields)),
  info: (message, fields) => void orNull(() => logger.info(message, fields)),
  warn: (message, fields) => void orNull(() => logger.warn(message, fields)),
  error: (message, fields) => void orNull(() => logger.error(message, fields)),
})
