import express5 from 'express'
import express4 from 'express-4'
import { serveExpress } from './support/express-app.js'
import { behavioursOnServers } from './support/on-servers.js'

behavioursOnServers('Express 4', serveExpress(express4))
behavioursOnServers('Express 5', serveExpress(express5))
