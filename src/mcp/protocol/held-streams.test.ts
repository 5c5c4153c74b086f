import assert from 'node:assert/strict'
import { beforeEach, mock, test } from 'node:test'
import type { Reservation } from '../../base/memory/bytes.ts'
import { createThreadHeldCalls } from '../../shared-state/memory/held-calls.ts'
import type { McpAnswer } from './answer.ts'
import { createHeldStreams, ENDED_MS, HELD_MS, type HeldStreams } from './held-streams.ts'
import type { EventStream } from './sse-reader.ts'

const OWNER = { identity: 'acme/key', sessionId: 's1' }

let streams: HeldStreams
beforeEach(() => {
  const heldCalls = createThreadHeldCalls({ slot: 0, send: () => assert.fail() })
  streams = createHeldStreams(new Uint8Array(32), 'desk', heldCalls)
})

/** A reader of an answer. */
function read(answer: McpAnswer) {
  let text = ''
  let ended = false
  const leave = answer.pieces!({
    write: (piece) => {
      text += piece
    },
    end: () => {
      ended = true
    },
  })
  return { text: () => text, data: () => dataIn(text), ids: () => idsIn(text), isEnded: () => ended, leave }
}

const dataIn = (text: string): string[] => [...text.matchAll(/^data: (.+)$/gm)].map(([, data]) => data!)
const idsIn = (text: string): string[] => [...text.matchAll(/^id: (.+)$/gm)].map(([, id]) => id!)

/** Memory with a bound. */
function memoryOf(max: number): Reservation & { readonly taken: number; readonly isReleased: boolean } {
  let taken = 0
  let isReleased = false
  return {
    take(bytes) {
      if (taken + bytes > max) return false
      taken += bytes
      return true
    },
    give(bytes) {
      taken -= bytes
    },
    release() {
      taken = 0
      isReleased = true
    },
    get taken() {
      return taken
    },
    get isReleased() {
      return isReleased
    },
  }
}

function opened(max = 1_000_000) {
  const memory = memoryOf(max)
  const told: string[] = []
  const stream: EventStream = streams.open(OWNER, 'acme', memory, () => told.push('left'))
  return { stream, memory, told, reader: read(stream.answer) }
}

const resumed = (id: string, owner = OWNER): Promise<McpAnswer> =>
  new Promise((done) => streams.resume(owner, id, done))

/** Attachments travel by messages. */
const settled = (): Promise<void> => new Promise((done) => setImmediate(() => setImmediate(done)))

test('a client that was gone when its answer was written still gets it, half a minute long', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { stream, memory, reader, told } = opened()
  stream.message('1')
  stream.message('2')
  stream.end()
  assert.deepEqual([reader.data(), reader.isEnded(), memory.isReleased], [['1', '2'], true, false])
  // Noticed late
  reader.leave()
  t.mock.timers.tick(ENDED_MS - 1)
  const again = read(await resumed(reader.ids()[1]!))
  await settled()
  assert.deepEqual([again.data(), again.isEnded()], [['2'], true])
  t.mock.timers.tick(ENDED_MS)
  assert.deepEqual([memory.isReleased, told], [true, []])
  assert.equal((await resumed(reader.ids()[1]!)).status, 400)
})

test('of the streams of one principal that have ended, the last 4 are kept', () => {
  const all = Array.from({ length: 6 }, () => opened())
  for (const { stream } of all) stream.end()
  assert.deepEqual(
    all.map(({ memory }) => memory.isReleased),
    [true, true, false, false, false, false],
  )
})

test('what came while the client was away is told when it comes back, and then what comes', async () => {
  const { stream, memory, reader } = opened()
  stream.message('1')
  reader.leave()
  stream.message('2')
  const again = read(await resumed(reader.ids().at(-1)!))
  stream.message('3')
  await settled()
  assert.deepEqual(again.data(), ['2', '3'])
  stream.end()
  await settled()
  assert.deepEqual([again.isEnded(), memory.taken > 0], [true, true])
})

test('a client that does not come back in time is waited for no longer', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { stream, memory, reader, told } = opened()
  reader.leave()
  stream.message('1')
  t.mock.timers.tick(HELD_MS - 1)
  assert.deepEqual([told, memory.isReleased], [[], false])
  t.mock.timers.tick(1)
  assert.deepEqual([told, memory.isReleased], [['left'], true])
  stream.message('2')
  stream.end()
  mock.reset()
  assert.equal((await resumed(reader.ids()[0]!)).status, 400)
})

test('while a client reads, the last events alone are kept', async () => {
  const { stream, memory, reader } = opened(10_000_000)
  const large = JSON.stringify('x'.repeat(30_000))
  for (let n = 0; n < 10; n++) stream.message(large)
  assert.ok(memory.taken <= 64 * 1024)
  reader.leave()
  assert.equal((await resumed(reader.ids()[0]!)).status, 400)
  const again = read(await resumed(reader.ids().at(-2)!))
  assert.deepEqual(again.data(), [large])
})

test('a stream is given up when its principal has no room for what comes', () => {
  const { stream, memory, reader, told } = opened(1000)
  reader.leave()
  stream.message(JSON.stringify('x'.repeat(2000)))
  assert.deepEqual([told, memory.isReleased], [['left'], true])
})

test('16 streams wait for one principal; a further one is given up', () => {
  const all = Array.from({ length: 17 }, () => opened())
  for (const { reader } of all) reader.leave()
  assert.deepEqual(
    all.map(({ told }) => told.length),
    [...Array.from({ length: 16 }, () => 0), 1],
  )
})

test('a client that names ever new principals holds half of the streams, and those of another client wait all the same', async () => {
  const leave = (principal: string, holder: string): string[] => {
    const told: string[] = []
    const owner = { ...OWNER, identity: principal }
    const stream = streams.open(owner, holder, memoryOf(1_000_000), () => told.push('left'))
    read(stream.answer).leave()
    return told
  }
  const greedy = Array.from({ length: 1010 }, (_, count) => leave(`greedy/${count >> 4}`, 'greedy'))
  assert.equal(greedy.filter(({ length }) => length === 0).length, 500)
  assert.deepEqual(leave('acme/key', 'acme'), [])
})

test('the last events of a stream that has ended are not forgotten for those of a client with ever new principals', async () => {
  const { stream, reader } = opened()
  const id = reader.ids()[0]!
  stream.end()
  for (let count = 0; count < 1010; count++)
    streams.open({ ...OWNER, identity: `greedy/${count}` }, 'greedy', memoryOf(1000), () => {}).end()
  assert.equal((await resumed(id)).status, 200)
})

test('nobody else resumes a stream: another principal, session or door', async () => {
  const { reader } = opened()
  reader.leave()
  const id = reader.ids()[0]!
  assert.equal((await resumed(id, { ...OWNER, identity: 'brook/key' })).status, 400)
  assert.equal((await resumed(id, { ...OWNER, sessionId: 's2' })).status, 400)
  const heldCalls = createThreadHeldCalls({ slot: 0, send: () => assert.fail() })
  const other = createHeldStreams(new Uint8Array(32), 'other', heldCalls)
  other.resume(OWNER, id, ({ status }) => assert.equal(status, 400))
  assert.equal((await resumed(id)).status, 200)
})
