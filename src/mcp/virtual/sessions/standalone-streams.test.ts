import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { AnswerPieces, InnerAnswer } from '../../../gateway/port.ts'
import { createThreadEvents } from '../../../shared-state/memory/shared-cells.ts'
import type { LinkedOrigin } from '../../../snapshot/linked-types/mcp.ts'
import { createStandaloneStreams } from './standalone-streams.ts'

const PING = 'data: {"jsonrpc":"2.0","id":1,"method":"ping"}\n\n'

/** Streams to an origin whose bytes the test gives. Timers move by hand. */
function start(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const opened: { readonly pieces: AnswerPieces; readonly done: (answer: InnerAnswer) => void }[] = []
  const streams = createStandaloneStreams({
    gateway: {
      readOrigin(_fragment, _request, pieces, done) {
        opened.push({ pieces, done })
        pieces.head(200, 'Content-Type: text/event-stream\r\n')
        return { abort() {} }
      },
    },
    events: createThreadEvents(() => {}),
  })
  const heard: unknown[] = []
  const join = (): (() => void) => {
    const place = { session: SESSION, origin: ORIGIN, caller: {} as never, version: '2025-11-25' }
    return streams.join(
      place,
      (message) => heard.push(message),
      () => {},
    )
  }
  return {
    opened,
    heard,
    join,
    /** False once the stream is to end; then it does. */
    say(text: string): boolean {
      const { pieces, done } = opened.at(-1)!
      const bytes = Buffer.from(text)
      const goesOn = pieces.piece(bytes, 0, bytes.length)
      if (!goesOn) done(NO_ANSWER)
      return goesOn
    },
    end: () => opened.at(-1)!.done(NO_ANSWER),
  }
}

const SESSION = { id: 'one', hold: () => () => {}, taskBegan() {} }
const ORIGIN = { id: 'ori_1', fragment: { upstream: null } } as unknown as LinkedOrigin
const NO_ANSWER = {} as InnerAnswer

test('a stream that ends is opened again after the time that its server says, within bounds', (t) => {
  for (const [retry, waitMs] of [
    ['', 1000],
    ['retry: 0\n', 1000],
    ['retry: 5000\n', 5000],
    ['retry: 99999999999\n', 30_000],
  ] as const) {
    const { opened, join, say, end } = start(t)
    const leave = join()
    say(`${retry}${PING}`)
    end()
    t.mock.timers.tick(waitMs - 1)
    assert.equal(opened.length, 1, retry)
    t.mock.timers.tick(1)
    assert.equal(opened.length, 2, retry)
    leave()
    t.mock.timers.reset()
  }
})

test('a server that says very much on the stream has none for a minute', (t) => {
  const { opened, heard, join, say } = start(t)
  const leave = join()
  assert.equal(say(PING.repeat(100_000)), true)
  assert.equal(heard.length, 100_000)
  assert.equal(say(PING), false)
  assert.equal(heard.length, 100_000)
  leave()
  t.mock.timers.tick(59_999)
  join()()
  assert.equal(opened.length, 1)
  t.mock.timers.tick(1)
  join()
  assert.equal(opened.length, 2)
})

test('what no call hears is read for a thousand messages', (t) => {
  const { heard, join, say } = start(t)
  join()()
  assert.equal(say(PING.repeat(1000)), true)
  assert.equal(say(PING), false)
  assert.deepEqual(heard, [])
})
