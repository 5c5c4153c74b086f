import assert from 'node:assert/strict'
import type { lookup } from 'node:dns'
import { test } from 'node:test'
import { createClock, createClockCell, moveClock } from '../../base/clock.ts'
import { createLookup } from './context.ts'

type Answer = (error: NodeJS.ErrnoException | null, addresses: { address: string; family: number }[]) => void

test('a name is asked for once per period, and once for all that wait', async () => {
  const cell = createClockCell()
  const asked: Answer[] = []
  const resolve = ((_name: string, _options: unknown, answer: Answer) => {
    asked.push(answer)
  }) as unknown as typeof lookup // Only the form with all: true is used
  const find = createLookup(createClock(cell), resolve)
  const ask = (all: boolean): Promise<unknown> =>
    new Promise((done) => find('a.test', { all }, (error, address) => done(error?.code ?? address)))
  const [first, second] = [ask(true), ask(false)]
  assert.equal(asked.length, 1)
  const addresses = [
    { address: '192.0.2.1', family: 4 },
    { address: '2001:db8::1', family: 6 },
  ]
  asked[0]!(null, addresses)
  assert.deepEqual(await first, addresses)
  assert.equal(await second, '192.0.2.1')
  assert.equal(await ask(false), '192.0.2.1')
  assert.equal(asked.length, 1)
  moveClock(cell, 11_000)
  const failed = ask(true)
  assert.equal(asked.length, 2)
  asked[1]!(Object.assign(new Error('no'), { code: 'ENOTFOUND' }), [])
  assert.equal(await failed, 'ENOTFOUND')
  assert.equal(await ask(true), 'ENOTFOUND')
  assert.equal(asked.length, 2)
  moveClock(cell, 1500)
  const empty = ask(true)
  asked[2]!(null, [])
  assert.equal(await empty, 'ENOTFOUND')
})
