// `npm run build`: the package, ESM and CommonJS, with types.
import { build, install } from './lib.mjs'

install()
build()
