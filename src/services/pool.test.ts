import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { createClock, createClockCell, moveClock } from '../base/clock.ts'
import { SessionPool } from './desk.ts'
import type { Session } from './port.ts'

const NEVER = new AbortController().signal

function start() {
  const cell = createClockCell()
  const pool = new SessionPool(createClock(cell))
  const opened: (Session & { isOpen: boolean })[] = []
  const open = async (): Promise<Session> => {
    const session = {
      isOpen: true,
      ask: async () => null,
      cancel() {},
      close() {
        session.isOpen = false
      },
    }
    opened.push(session)
    return session
  }
  return { pool, opened, open, move: (ms: number) => moveClock(cell, ms) }
}

/** Work that ends when it is told to. */
function held() {
  const ends: (() => void)[] = []
  return { ask: () => new Promise<void>((end) => ends.push(end)), ends }
}

test('a session serves one question at a time, and the next one of its key after it', async () => {
  const { pool, opened, open } = start()
  for (let at = 0; at < 3; at++) await pool.use('a', open, NEVER, async () => {})
  assert.equal(opened.length, 1)
  await pool.use('b', open, NEVER, async () => {})
  assert.equal(opened.length, 2, 'another key has sessions of its own')
})

test('a key has four sessions, and further questions wait in their order, up to 64', async () => {
  const { pool, opened, open } = start()
  const { ask, ends } = held()
  const order: number[] = []
  const all = Array.from({ length: 68 }, (_, at) =>
    pool.use('a', open, NEVER, async () => {
      order.push(at)
      await ask()
    }),
  )
  await turn()
  assert.deepEqual([opened.length, order], [4, [0, 1, 2, 3]])
  await assert.rejects(pool.use('a', open, NEVER, ask), { kind: 'overloaded' })
  while (order.length < 68 || ends.length > 0) {
    for (const end of ends.splice(0)) end()
    await turn()
  }
  await Promise.all(all)
  assert.deepEqual([opened.length, order], [4, Array.from({ length: 68 }, (_, at) => at)])
})

test('a question that is given up leaves the queue, and one whose session cannot be opened makes room', async () => {
  const { pool, open } = start()
  const { ask, ends } = held()
  const busy = Array.from({ length: 4 }, () => pool.use('a', open, NEVER, ask))
  await turn()
  const controller = new AbortController()
  const waiting = pool.use('a', open, controller.signal, ask)
  await turn()
  controller.abort()
  await assert.rejects(waiting, { kind: 'timeout' })
  for (const end of ends) end()
  await Promise.all(busy)
  const broken = new Error('no server')
  for (let at = 0; at < 6; at++)
    await assert.rejects(
      pool.use('c', () => Promise.reject(broken), NEVER, ask),
      broken,
    )
})

test('a session without a question is closed after 30 seconds, and one that has ended is not used again', async () => {
  const { pool, opened, open, move } = start()
  await pool.use('a', open, NEVER, async () => {})
  move(29_000)
  pool.sweep()
  assert.equal(opened[0]!.isOpen, true)
  move(2000)
  pool.sweep()
  assert.equal(opened[0]!.isOpen, false)
  await pool.use('a', open, NEVER, async (session) => session.close())
  await pool.use('a', open, NEVER, async () => {})
  assert.deepEqual(
    opened.map(({ isOpen }) => isOpen),
    [false, false, true],
  )
})

test('at 64 sessions the one that was idle for longest gives way; if all are in use, a question is refused', async () => {
  const { pool, opened, open, move } = start()
  for (let at = 0; at < 64; at++) {
    await pool.use(`idle ${at}`, open, NEVER, async () => {})
    move(1)
  }
  const { ask, ends } = held()
  const busy = Array.from({ length: 64 }, (_, at) => pool.use(`busy ${at}`, open, NEVER, ask))
  await turn()
  assert.deepEqual(
    opened.map(({ isOpen }) => isOpen),
    [...Array<boolean>(64).fill(false), ...Array<boolean>(64).fill(true)],
  )
  await assert.rejects(pool.use('one more', open, NEVER, ask), { kind: 'overloaded' })
  for (const end of ends) end()
  await Promise.all(busy)
})
