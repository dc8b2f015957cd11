import { serveNest } from './support/nest-app.js'
import { behavioursOnServers } from './support/on-servers.js'

behavioursOnServers('Nest', serveNest)
