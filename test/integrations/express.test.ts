import express5 from 'express'
import express4 from 'express-4'
import { serverBehaviours, unitBehaviours } from './support/behaviours.js'
import { type ExpressModule, serveExpress } from './support/express-app.js'

const versions: readonly (readonly [string, ExpressModule])[] = [
  ['Express 4', express4],
  ['Express 5', express5],
]
for (const [name, express] of versions) {
  unitBehaviours(name, serveExpress(express))
  serverBehaviours(name, serveExpress(express))
}
