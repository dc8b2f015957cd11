import { timingSafeEqual } from 'node:crypto'
import { claimPair } from './ports.mjs'

const HELLO_MS = 5_000
const HELLO_CHARACTERS = 1_024

/**
 * Where users come in and stay: whoever shows the token is a user until the connection ends, and is told how the server
 * is doing, each time that it changes. A connection ends with its process, also with one that is killed.
 */
export class Door {
  #token
  #changed
  #news = { state: 'starting' }
  #users = new Set()
  #listeners = []

  /** `changed` is called when a user has come or gone. */
  constructor(token, changed) {
    this.#token = Buffer.from(JSON.stringify({ token }))
    this.#changed = changed
  }

  get users() {
    return this.#users.size
  }

  /** Listens on one more pair of ports, and gives the first of them; older ones stay open for who knows only them. */
  async claim(preferred) {
    const { port, server } = await claimPair(preferred, (socket) => this.#enter(socket))
    this.#listeners.push(server)
    return port
  }

  tell(news) {
    this.#news = news
    for (const socket of this.#users) send(socket, news)
  }

  /** No one comes in any more. */
  shut() {
    for (const server of this.#listeners.splice(0)) server.close()
  }

  #enter(socket) {
    let text = ''
    const timer = setTimeout(() => socket.destroy(), HELLO_MS)
    socket.setEncoding('utf8').on('error', () => socket.destroy())
    socket.once('close', () => {
      clearTimeout(timer)
      if (this.#users.delete(socket)) this.#changed()
    })
    socket.on('data', (chunk) => {
      if (this.#users.has(socket)) return
      text += chunk
      if (text.length > HELLO_CHARACTERS) socket.destroy()
      if (!text.includes('\n')) return
      clearTimeout(timer)
      if (this.#isUser(text.slice(0, text.indexOf('\n')))) this.#admit(socket)
      else socket.destroy()
    })
  }

  #isUser(line) {
    const shown = Buffer.from(line)
    return shown.length === this.#token.length && timingSafeEqual(shown, this.#token)
  }

  #admit(socket) {
    this.#users.add(socket)
    send(socket, this.#news)
    this.#changed()
  }
}

const send = (socket, news) => socket.write(`${JSON.stringify(news)}\n`)
