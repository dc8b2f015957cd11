import { get } from 'node:http'
import { connect } from 'node:net'
import { LOOPBACK } from './ports.js'

const PATIENCE_MS = 1_000

/** Whether a GET is answered with success. */
export function answersHttp(port: number, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ host: LOOPBACK, port, path, agent: false, timeout: PATIENCE_MS }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    request.once('timeout', () => request.destroy())
    request.once('close', () => resolve(false))
    request.once('error', () => resolve(false))
  })
}

/** Whether a Redis PING is answered with PONG; a server that still loads its data says LOADING. */
export function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: LOOPBACK, port, timeout: PATIENCE_MS }, () => socket.write('PING\r\n'))
    socket.once('data', (reply) => {
      resolve(reply.toString('latin1').startsWith('+PONG'))
      socket.destroy()
    })
    socket.once('timeout', () => socket.destroy())
    socket.once('close', () => resolve(false))
    socket.once('error', () => resolve(false))
  })
}
