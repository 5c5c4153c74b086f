import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { Duplex } from 'node:stream'
import type { ByteBudget } from '../../base/memory/bytes.ts'
import { UNSENT_BYTES_MAX } from '../limits.ts'
import { BodyReader, CHUNKED, UNTIL_CLOSE } from './body-reader.ts'
import { chunk, headEnd } from './grammar.ts'

/** Fields that HTTP/1.1 needs and HTTP/2 forbids (RFC 9113 8.2.2). */
const OF_CONNECTIONS: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
])

const EMPTY = Buffer.alloc(0)
const FIRST_LINE = 'HTTP/1.1 '.length

/**
 * One stream of HTTP/2 as the socket of a caller that sends one request: a `Connection` reads the head and the framed
 * body from it, and what it writes leaves as frames. Backpressure holds both ways: what is not read here fills the
 * stream's window, and a write is over when the stream has taken it.
 */
export class StreamSocket extends Duplex {
  /** As sockets under TLS say it: there is no handle to write to directly. */
  readonly encrypted = true
  readonly #stream: ServerHttp2Stream
  readonly #reader = new BodyReader()
  readonly #budget: ByteBudget | null
  /** Bytes that wait for the caller, as counted. */
  #unsent = 0
  #isAnswering = false
  #isRequestWhole: boolean

  /** `head` is that of HTTP/1.1; `isChunked` says how it announces the body. What waits for the caller is counted in `room`. */
  constructor(stream: ServerHttp2Stream, head: Buffer, isChunked: boolean, budget: ByteBudget | null) {
    super({ highWaterMark: UNSENT_BYTES_MAX })
    this.#stream = stream
    this.#budget = budget
    this.#isRequestWhole = stream.endAfterHeaders
    this.push(head)
    stream.on('data', (bytes: Buffer) => {
      const data = isChunked ? chunk('', bytes, 0, bytes.length, false) : bytes
      if (!this.push(data, 'latin1')) stream.pause()
    })
    stream.on('end', () => {
      this.#isRequestWhole = true
      if (isChunked) this.push(chunk('', EMPTY, 0, 0, true), 'latin1')
    })
    // Here alone, so that nothing is read before it is wanted
    stream.pause()
    stream.on('close', () => this.destroy())
  }

  override _read(): void {
    this.#stream.resume()
  }

  /** One caller has many streams and may read none of them: one for whose bytes there is no room is reset. */
  override write(data: string | Buffer): boolean {
    if (this.#budget !== null) {
      if (!this.#budget.take(data.length)) {
        this.destroy()
        return false
      }
      this.#unsent += data.length
    }
    // All text that the engine writes
    return super.write(data, 'latin1')
  }

  override _write(data: Buffer, _encoding: string, done: () => void): void {
    const sent = (): void => {
      this.#give(Math.min(data.length, this.#unsent))
      done()
    }
    let at = 0
    // The engine writes a head at once, with or without what follows it
    while (!this.#isAnswering && at < data.length) {
      const end = headEnd(data, at, data.length) + 4
      this.#head(data.toString('latin1', at, end))
      at = end
    }
    const pieces: Buffer[] = []
    while (at < data.length && !this.#reader.done && this.#reader.read(data, at, data.length)) {
      pieces.push(data.subarray(this.#reader.from, this.#reader.to))
      at = this.#reader.next
    }
    const body = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
    if (body.length === 0 || this.#stream.destroyed || this.#stream.writableEnded) sent()
    else this.#stream.write(body, sent)
  }

  /** The answer is complete. */
  override _final(done: () => void): void {
    const stream = this.#stream
    stream.end(() => {
      // RFC 9113 8.1: nobody needs the rest of the request
      if (!this.#isRequestWhole) stream.close(constants.NGHTTP2_NO_ERROR)
    })
    done()
  }

  /** Ends in the middle: not by `close`, which would end the answer as if it were whole before it resets the stream. */
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const stream = this.#stream
    this.#give(this.#unsent)
    if (!this.writableFinished) stream.destroy(new Error('the answer broke off'))
    else if (!stream.closed) stream.close(constants.NGHTTP2_NO_ERROR)
    done(error)
  }

  #give(bytes: number): void {
    this.#unsent -= bytes
    this.#budget?.give(bytes)
  }

  #head(text: string): void {
    const stream = this.#stream
    if (stream.destroyed || stream.closed) return
    const status = Number(text.slice(FIRST_LINE, FIRST_LINE + 3))
    const fields = fieldsOf(text)
    if (status < 200) {
      stream.additionalHeaders({ ...fields, ':status': status })
      return
    }
    this.#isAnswering = true
    this.#reader.reset(/\r\ntransfer-encoding:/i.test(text) ? CHUNKED : UNTIL_CLOSE)
    try {
      stream.respond({ ...fields, ':status': status })
    } catch {
      // Fields that HTTP/2 cannot carry, such as a second Content-Type
      this.destroy()
    }
  }
}

/** Fields of a head with its first line, without those of the connection. */
function fieldsOf(head: string): OutgoingHttpHeaders {
  const fields: Record<string, string | string[]> = Object.create(null)
  let at = head.indexOf('\r\n') + 2
  for (let end = head.indexOf('\r\n', at); end > at; end = head.indexOf('\r\n', at)) {
    const colon = head.indexOf(':', at)
    const name = head.slice(at, colon).toLowerCase()
    const value = head.slice(colon + 1, end).trim()
    const before = fields[name]
    if (!OF_CONNECTIONS.has(name))
      fields[name] =
        before === undefined ? value : typeof before === 'string' ? [before, value] : [...before, value]
    at = end + 2
  }
  return fields
}
