import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClock, createClockCell, moveClock } from '../base/clock.ts'
import { newStreamState, type Position, type StreamState } from './port.ts'
import { type Batch, NotAccepted } from './receiver.ts'
import { runSender } from './sender.ts'
import type { Source } from './source.ts'

const event = (n: number) => ({ id: `e${n}`, time: 1000 + n, json: `{"n":${n}}` })

/** Gives batches of two events up to a number, then nothing. */
function counting(last: number): Source & { readonly asked: Position[] } {
  const asked: Position[] = []
  return {
    asked,
    async next(position) {
      asked.push(position)
      const { after = 0 } = position
      if (after >= last) return null
      const events = [after + 1, after + 2].filter((n) => n <= last).map(event)
      return { events, position: { since: 0, after: after + events.length }, dropped: 0, missedUntil: null }
    },
  }
}

/** Runs a sender over a destination that answers in turn, until it has nothing more. Waits move the clock. */
async function run(
  answers: readonly ('ok' | NotAccepted | Error)[],
  its: { readonly source?: Source; readonly until?: number; readonly first?: StreamState } = {},
) {
  const cell = createClockCell()
  const clock = createClock(cell)
  const stop = new AbortController()
  const sent: Batch[] = []
  const waits: number[] = []
  const states: StreamState[] = []
  let left = [...answers]
  await runSender(
    {
      sink: 'snk_1',
      stream: 'records',
      source: its.source ?? counting(5),
      receiver: {
        async send(batch) {
          sent.push(batch)
          const [answer = 'ok'] = left
          left = left.slice(1)
          if (answer !== 'ok') throw answer
          return 'answered 204'
        },
        close: async () => {},
      },
      clock,
      until: () => its.until ?? Number.MAX_SAFE_INTEGER,
      progress: (state) => states.push(state),
      random: () => 1,
      async wait(ms) {
        waits.push(ms)
        moveClock(cell, ms)
        const isIdle = states.at(-1)?.position.after === 5
        if (isIdle || waits.length > 40) stop.abort()
      },
    },
    its.first ?? newStreamState(0),
    stop.signal,
  )
  return { sent, waits, states, last: states.at(-1)! }
}

test('a batch is sent again with its id until it is accepted, and the position moves only then', async () => {
  const { sent, waits, last, states } = await run([
    'ok',
    new NotAccepted('answered 503'),
    new NotAccepted('answered 429', 90_000),
    new Error('odd'),
    'ok',
  ])
  assert.deepEqual(
    sent.map(({ events }) => events.map(({ id }) => id).join()),
    ['e1,e2', 'e3,e4', 'e3,e4', 'e3,e4', 'e3,e4', 'e5'],
  )
  assert.equal(new Set(sent.slice(1, 5).map(({ id }) => id)).size, 1)
  assert.equal(new Set(sent.map(({ id }) => id)).size, 3)
  assert.deepEqual(waits.slice(0, 3), [1000, 90_000, 4000], 'doubling, and as long as was asked for')
  assert.deepEqual([last.sent, last.position.after, last.lastError], [5, 5, null])
  const failing = states.find(({ lastError }) => lastError === 'answered 503')!
  assert.deepEqual([failing.position.after, failing.waitingSince], [2, 1003])
  assert.ok(states.some(({ lastError }) => lastError === 'odd'))
})

test('waits have a bound, however often a destination refuses', async () => {
  const { waits } = await run(Array.from({ length: 30 }, () => new NotAccepted('answered 500')))
  assert.equal(Math.max(...waits), 60_000)
})

test('without the claim nothing is read and nothing is sent', async () => {
  const source = counting(5)
  const { sent } = await run([], { source, until: 0 })
  assert.deepEqual([sent.length, source.asked.length], [0, 0])
})

test('a store that cannot be read is named as the reason, and what follows is sent once it can', async () => {
  let fails = 3
  const good = counting(5)
  const source: Source = {
    next: (position) => (fails-- > 0 ? Promise.reject(new Error('disk')) : good.next(position)),
  }
  const { states, last } = await run([], { source })
  assert.ok(states.some(({ lastError }) => lastError === 'the store cannot be read: disk'))
  assert.equal(last.sent, 5)
})

test('a sender goes on where another one has ended', async () => {
  const first = { ...newStreamState(0), position: { since: 0, after: 4 }, sent: 4 }
  const { sent, last } = await run([], { first })
  assert.deepEqual(
    sent.flatMap(({ events }) => events.map(({ id }) => id)),
    ['e5'],
  )
  assert.equal(last.sent, 5)
})
