import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { EGRESS } from '../../../test/support/egress.ts'
import { fuzzCases } from '../../../test/support/long.ts'
import { HOSTILE } from '../../../test/wire/hostile-requests.ts'
import { createRandom, mutate, readWithLlhttp } from '../../../test/wire/llhttp.ts'
import { NO_BOUND, RULES } from '../../../test/wire/peers.ts'
import { PIECES, SEEDS } from '../../../test/wire/request-seeds.ts'
import { createClock } from '../../base/clock.ts'
import type { Incoming } from '../port.ts'
import { canonicalTarget } from '../target.ts'
import { Connection } from './connection.ts'
import { createContext } from './context.ts'

/** What one of our requests looked like to the handler, and its body. */
interface Seen {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly host: string
  readonly minor: number
  readonly pass: string
  readonly taken: readonly (string | undefined)[]
  body: string
}

/** A socket in memory: hands over what it is given, and keeps what is written. */
class Wire extends EventEmitter {
  written = ''
  remoteAddress = '192.0.2.1'
  destroyed = false
  #isPaused = false
  #held: Buffer[] = []

  give(bytes: Buffer): void {
    if (this.destroyed) return
    if (this.#isPaused) this.#held.push(bytes)
    else this.emit('data', bytes)
  }

  write(data: string | Buffer): boolean {
    this.written += typeof data === 'string' ? data : data.toString('latin1')
    return true
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    for (const bytes of this.#held.splice(0)) this.give(bytes)
  }

  end(): void {
    this.written += '<end>'
  }

  destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    this.emit('close')
  }
}

let seen: Seen[] = []
let refused = ''
let finished = 0

const context = createContext({
  egress: EGRESS,
  clock: createClock(),
  rules: RULES,
  sweepMs: 100_000,
  onFault: (error) => {
    throw error
  },
  handler: {
    request(incoming: Incoming) {
      const { method, path, query, host, minor, pass, taken } = incoming
      const one: Seen = { method, path, query, host, minor, pass, taken, body: '<none>' }
      seen.push(one)
      incoming.collect(100_000, NO_BOUND, (body) => {
        if (body === null) return
        one.body = Buffer.from(body).toString('latin1')
        incoming.answer(200, '', '')
      })
    },
    refused(incoming, code, inner) {
      refused = `${code} ${inner}`
      incoming.answer(400, '', code)
    },
    finished() {
      finished++
    },
  },
})

interface Result {
  readonly seen: Seen[]
  /** Which of several faults is found first may depend on the cuts. */
  readonly isRefused: boolean
  readonly finished: number
  readonly statuses: readonly string[]
}

/** What comes of a stream that arrives in the given pieces. */
function run(pieces: readonly Buffer[]): Result {
  seen = []
  refused = ''
  finished = 0
  const wire = new Wire()
  // Everything a connection uses of its socket
  new Connection(context, wire as unknown as Socket, { peer: '127.0.0.1', certificate: null }, 0, () => {})
  // Chunks are moved together in place: the bytes are the connection's
  for (const piece of pieces) wire.give(Buffer.from(piece))
  const statuses = wire.written.match(/HTTP\/1\.1 [2-5]\d\d|<end>/g) ?? []
  const result = { seen, isRefused: refused !== '', finished, statuses }
  wire.destroy()
  return result
}

function cut(bytes: Buffer, random: (below: number) => number): Buffer[] {
  const pieces: Buffer[] = []
  let at = 0
  while (at < bytes.length) {
    const next = at + 1 + random(random(3) === 0 ? bytes.length : 12)
    pieces.push(bytes.subarray(at, next))
    at = next
  }
  return pieces
}

/** Without blanks around it. To `trim` a byte of 0xa0 is one too. */
function bare(value: string): string {
  return value.replace(/^[ \t]+|[ \t]+$/g, '')
}

/** Every field that we pass on or take stands in llhttp's list with that value, in that order. */
function assertFields(one: Seen, headers: readonly string[], what: string): void {
  const lines: string[] = []
  for (let i = 0; i < headers.length; i += 2) lines.push(`${headers[i]}:${bare(headers[i + 1]!)}`)
  let at = 0
  for (const line of one.pass.split('\r\n').slice(0, -1)) {
    const colon = line.indexOf(':')
    const plain = `${line.slice(0, colon)}:${bare(line.slice(colon + 1))}`
    while (at < lines.length && lines[at] !== plain) at++
    assert.ok(at < lines.length, `${plain} is not what llhttp read: ${what}`)
  }
  for (const [index, name] of [...RULES.take, ...RULES.peek].entries()) {
    const values = headers.filter((_, i) => i % 2 === 1 && headers[i - 1]!.toLowerCase() === name)
    assert.equal(one.taken[index], values.length === 0 ? undefined : values.map(bare).join(', '), what)
  }
}

test('what is accepted, llhttp reads in the same way, and the cuts of the stream do not matter', () => {
  const random = createRandom(0x5eed)
  const streams = SEEDS.length
  let accepted = 0
  const cases = fuzzCases(20_000)
  for (let i = 0; i < cases; i++) {
    const text =
      random(20) === 0
        ? HOSTILE[random(HOSTILE.length)]![1]
        : SEEDS[random(streams)]! + SEEDS[random(streams)]!
    if (text.length > 5000) continue
    const bytes = Buffer.from(mutate(text, PIECES, random), 'latin1')
    const what = JSON.stringify(bytes.toString('latin1'))
    const whole = run([bytes])
    assert.deepEqual(run(cut(bytes, random)), whole, what)
    const answers = whole.statuses.filter((status) => status !== '<end>').length
    assert.equal(whole.finished, answers, what)
    const { messages } = readWithLlhttp('requests', bytes)
    for (const [index, one] of whole.seen.entries()) {
      if (one.body === '<none>') continue
      const theirs = messages[index]
      if (theirs?.isUpgrade === true || messages[index - 1]?.isUpgrade === true) break
      assert.ok(theirs?.isComplete, `llhttp does not accept ${what}`)
      const target = canonicalTarget(theirs.url.replace(/^https?:\/\/[^/?]*/i, '').replace(/^(?!\/)/, '/'))
      assert.deepEqual(
        [one.method, one.path, one.query, one.minor, one.body],
        [theirs.method, target?.path, target?.query, theirs.minor, theirs.body],
        what,
      )
      assertFields(one, theirs.headers, what)
      accepted++
    }
  }
  assert.ok(accepted > cases / 4, `${accepted} requests were accepted`)
  context.sweep.stop()
})
