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
  for (let at = 0; at < 3; at++) await pool.use('a', '', open, NEVER, async () => {})
  assert.equal(opened.length, 1)
  await pool.use('b', '', open, NEVER, async () => {})
  assert.equal(opened.length, 2, 'another key has sessions of its own')
})

test('a key has eight sessions: one holder gets half of them, and the next holder always finds one', async () => {
  const { pool, opened, open } = start()
  const { ask, ends } = held()
  const began: string[] = []
  const use = (holder: string): Promise<void> =>
    pool.use('a', holder, open, NEVER, () => {
      began.push(holder)
      return ask()
    })
  const all = Array.from({ length: 10 }, () => use('greedy'))
  await turn()
  assert.deepEqual(began, Array(4).fill('greedy'))
  all.push(use('other'), use('other'), use('third'))
  await turn()
  assert.deepEqual(began.slice(4), ['other', 'other', 'third'])
  assert.equal(opened.length, 7)
  for (let left = 0; left < 20; left++) {
    for (const end of ends.splice(0)) end()
    await turn()
  }
  await Promise.all(all)
  assert.equal(began.length, 13)
})

test('questions that wait keep the order of their holder, holders take turns, and one holder may wait 32 times', async () => {
  const { pool, opened, open } = start()
  const { ask, ends } = held()
  const began: string[] = []
  const use = (holder: string, at: number): Promise<void> =>
    pool.use('a', holder, open, NEVER, () => {
      began.push(`${holder} ${at}`)
      return ask()
    })
  const all = Array.from({ length: 36 }, (_, at) => use('a', at))
  await assert.rejects(use('a', 36), { kind: 'overloaded' })
  all.push(...Array.from({ length: 4 }, (_, at) => use('b', at)))
  await turn()
  assert.deepEqual(began, ['a 0', 'a 1', 'a 2', 'a 3', 'b 0', 'b 1'])
  while (began.length < 40 || ends.length > 0) {
    ends.shift()?.()
    await turn()
  }
  await Promise.all(all)
  const of = (holder: string): string[] => began.filter((one) => one.startsWith(holder))
  assert.deepEqual(
    of('a'),
    Array.from({ length: 36 }, (_, at) => `a ${at}`),
  )
  assert.deepEqual(of('b'), ['b 0', 'b 1', 'b 2', 'b 3'])
  assert.ok(began.indexOf('b 3') < 12, 'the second holder does not wait for all questions of the first')
  assert.ok(opened.length <= 8)
})

test('a question that is given up leaves the queue, and one whose session cannot be opened makes room', async () => {
  const { pool, open } = start()
  const { ask, ends } = held()
  const busy = Array.from({ length: 8 }, () => pool.use('a', '', open, NEVER, ask))
  await turn()
  const controller = new AbortController()
  const waiting = pool.use('a', '', open, controller.signal, ask)
  await turn()
  controller.abort()
  await assert.rejects(waiting, { kind: 'timeout' })
  for (const end of ends) end()
  await Promise.all(busy)
  const broken = new Error('no server')
  for (let at = 0; at < 6; at++)
    await assert.rejects(
      pool.use('c', '', () => Promise.reject(broken), NEVER, ask),
      broken,
    )
})

test('a session without a question is closed after 30 seconds, and one that has ended is not used again', async () => {
  const { pool, opened, open, move } = start()
  await pool.use('a', '', open, NEVER, async () => {})
  move(29_000)
  pool.sweep()
  assert.equal(opened[0]!.isOpen, true)
  move(2000)
  pool.sweep()
  assert.equal(opened[0]!.isOpen, false)
  await pool.use('a', '', open, NEVER, async (session) => session.close())
  await pool.use('a', '', open, NEVER, async () => {})
  assert.deepEqual(
    opened.map(({ isOpen }) => isOpen),
    [false, false, true],
  )
})

test('at 64 sessions the one that was idle for longest gives way; if all are in use, a question is refused', async () => {
  const { pool, opened, open, move } = start()
  for (let at = 0; at < 64; at++) {
    await pool.use(`idle ${at}`, '', open, NEVER, async () => {})
    move(1)
  }
  const { ask, ends } = held()
  const busy = Array.from({ length: 64 }, (_, at) => pool.use(`busy ${at}`, '', open, NEVER, ask))
  await turn()
  assert.deepEqual(
    opened.map(({ isOpen }) => isOpen),
    [...Array<boolean>(64).fill(false), ...Array<boolean>(64).fill(true)],
  )
  await assert.rejects(pool.use('one more', '', open, NEVER, ask), { kind: 'overloaded' })
  for (const end of ends) end()
  await Promise.all(busy)
})
