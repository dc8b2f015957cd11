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
  return answersBytes(port, Buffer.from('PING\r\n'), /^\+PONG/)
}

/** Whether a PostgreSQL client that asks for TLS hears yes or no; needs no password and begins no session. */
export function answersSslRequest(port: number): Promise<boolean> {
  return answersBytes(port, Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]), /^[NS]/)
}

function answersBytes(port: number, request: Buffer, wanted: RegExp): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: LOOPBACK, port, timeout: PATIENCE_MS }, () => socket.write(request))
    socket.once('data', (reply) => {
      resolve(wanted.test(reply.toString('latin1')))
      socket.destroy()
    })
    socket.once('timeout', () => socket.destroy())
    socket.once('close', () => resolve(false))
    socket.once('error', () => resolve(false))
  })
}
