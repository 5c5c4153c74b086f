import { once } from 'node:events'
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { echoes, once as onceOf, openSocket } from '../../test/scenarios/web-socket.ts'
import { eventually } from '../../test/support/eventually.ts'
import type { Manage, Postern } from './postern.ts'

const EVERY_MS = 5
const PIECE_BYTES = 4096
const HEADERS = { 'X-Client-ID': 'acme', 'X-Profile-ID': 'open' }

/** What was held open, and what was wrong with it. */
export interface HeldOutcome {
  readonly broken: readonly string[]
  readonly events: number
  readonly bytes: number
  readonly messages: number
}

export interface Held extends Disposable {
  /** Ends everything in its own way, and says how it went. */
  end(): Promise<HeldOutcome>
}

/**
 * Publishes the collection `held`, assigns it to the client `acme`, and keeps a stream of events, a slow download and a
 * WebSocket open through it, each with something on its way all the time. Every byte is compared with what was sent.
 */
export async function startHeld(postern: Postern, call: Manage): Promise<Held> {
  const events = new Stream('the stream of events', (index) => `id: ${index}\ndata: of ${index}\n\n`)
  const file = new Stream('the download', (index) =>
    String(index)
      .padStart(16, '.')
      .repeat(PIECE_BYTES / 16),
  )
  const origin = createServer(({ url }, response) => {
    if (url === '/events') events.pour(response, 'text/event-stream')
    else file.pour(response, 'application/octet-stream')
  })
  origin.on('upgrade', echoes).listen(0, '127.0.0.1')
  await once(origin, 'listening')
  const { port } = origin.address() as AddressInfo
  const upstream = { targets: [{ url: `http://127.0.0.1:${port}` }] }
  await call('POST', '/collections', { name: 'Held', slug: 'held', base_path: '/held', upstream })
  const route = { collection: 'held', methods: ['GET'], status: 'published' }
  await call('POST', '/proxies', { ...route, name: 'Streams', path: '/{kind}' })
  await call('POST', '/proxies', { ...route, name: 'Socket', path: '/socket', kind: 'websocket' })
  await call('POST', '/collections/held/publish', {})
  await call('POST', '/clients/acme/assign', { collections: ['held'] })
  const base = `${postern.gateway}/held`
  await events.open(`${base}/events`)
  await file.open(`${base}/file`)
  const socket = openSocket(`${base}/socket`, HEADERS)
  await onceOf(socket, 'open')
  const talk = new Talk(socket)
  return {
    async end() {
      await Promise.all([talk.end(), events.end(), file.end()])
      const broken = [talk, events, file].flatMap(({ fault }) => (fault === null ? [] : [fault]))
      return { broken, events: events.read, bytes: file.read * PIECE_BYTES, messages: talk.read }
    },
    [Symbol.dispose]() {
      origin.closeAllConnections()
      origin.close()
    },
  }
}

/** Both ends of an answer that goes on: pieces by their numbers, sent in time and compared when they come. */
class Stream {
  fault: string | null = null
  read = 0
  readonly #name: string
  readonly #pieceAt: (index: number) => string
  #sent = 0
  #rest = ''
  #timer: NodeJS.Timeout | undefined
  #response: ServerResponse | null = null
  #isOver = false

  constructor(name: string, pieceAt: (index: number) => string) {
    this.#name = name
    this.#pieceAt = pieceAt
  }

  pour(response: ServerResponse, type: string): void {
    this.#response = response
    response.writeHead(200, { 'content-type': type }).flushHeaders()
    this.#timer = setInterval(() => response.write(this.#pieceAt(this.#sent++)), EVERY_MS)
    response.on('close', () => clearInterval(this.#timer))
  }

  async open(url: string): Promise<void> {
    const [answer] = (await once(get(url, { headers: HEADERS, agent: false }), 'response')) as [
      IncomingMessage,
    ]
    if (answer.statusCode !== 200) throw new Error(`${url} answered ${answer.statusCode}`)
    answer.setEncoding('latin1').on('data', (text: string) => this.#take(text))
    answer.on('error', () => {})
    answer.on('close', () => {
      this.#isOver = true
      if (!answer.complete) this.fault ??= `${this.#name} broke off after ${this.read} pieces`
    })
  }

  #take(text: string): void {
    this.#rest += text
    for (let next = this.#pieceAt(this.read); this.#rest.length >= next.length; ) {
      if (!this.#rest.startsWith(next)) this.fault ??= `${this.#name} has other bytes in piece ${this.read}`
      this.#rest = this.#rest.slice(next.length)
      next = this.#pieceAt(++this.read)
    }
  }

  async end(): Promise<void> {
    clearInterval(this.#timer)
    this.#response?.end()
    await eventually(
      () => this.#isOver,
      () => `the end of ${this.#name}`,
    )
    if (this.read !== this.#sent || this.#rest !== '')
      this.fault ??= `${this.#name} has ${this.read} of ${this.#sent} pieces`
  }
}

/** A WebSocket that is told numbers in time and must say them again in order. */
class Talk {
  fault: string | null = null
  read = 0
  readonly #socket: WebSocket
  readonly #timer: NodeJS.Timeout
  #sent = 0
  #isEnding = false

  constructor(socket: WebSocket) {
    this.#socket = socket
    this.#timer = setInterval(() => socket.send(String(this.#sent++)), EVERY_MS)
    socket.addEventListener('message', ({ data }) => {
      if (data !== String(this.read)) this.fault ??= `the WebSocket said ${data} for ${this.read}`
      this.read++
    })
    socket.addEventListener('close', ({ wasClean }) => {
      clearInterval(this.#timer)
      if (!this.#isEnding || !wasClean) this.fault ??= `the WebSocket was closed after ${this.read} messages`
    })
  }

  async end(): Promise<void> {
    clearInterval(this.#timer)
    await eventually(
      () => this.read === this.#sent || this.fault !== null,
      () => `the last of ${this.#sent} echoes, ${this.read} came`,
    )
    this.#isEnding = true
    const closed = onceOf(this.#socket, 'close')
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.close()
    if (this.#socket.readyState !== WebSocket.CLOSED) await closed
  }
}
