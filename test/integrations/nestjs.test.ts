import { serverBehaviours, unitBehaviours } from './support/behaviours.js'
import { serveNest } from './support/nest-app.js'

unitBehaviours('Nest', serveNest)
serverBehaviours('Nest', serveNest)
