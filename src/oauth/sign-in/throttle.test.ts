import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClock, createClockCell, moveClock } from '../../base/clock.ts'
import type { Refusal } from '../../base/refusal.ts'
import { createThrottle } from '../../shared-state/memory/throttle.ts'
import { createSignInThrottle } from './local.ts'

const THERE = '203.0.113.7'

function started() {
  const cell = createClockCell()
  const throttle = createSignInThrottle(createThrottle(createClock(cell)), (ip) =>
    ip.split('.').slice(0, 3).join('.'),
  )
  const wait = async (name: string, ip: string | null = THERE): Promise<number> => {
    try {
      await throttle.take(name, ip)
      return 0
    } catch (error) {
      // Nothing else is thrown
      const { code, facts } = error as Refusal
      assert.equal(code, 'auth_throttled')
      return Number(facts.members?.['retry_after_ms'])
    }
  }
  return { throttle, wait, move: (ms: number) => moveClock(cell, ms) }
}

test('failures of a name make the next attempt wait twice as long each time, five minutes at most, from everywhere', async () => {
  const { wait, move } = started()
  for (let i = 0; i < 5; i++) assert.equal(await wait('ada', `198.51.${i}.1`), 0)
  for (const seconds of [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]) {
    const left = await wait(' ADA ', '192.0.2.1')
    assert.ok(left > seconds * 1000 - 500 && left <= seconds * 1000, `${left} of ${seconds} s`)
    move(left)
    assert.equal(await wait('ada', `10.${seconds % 256}.${left % 256}.1`), 0)
  }
  assert.equal(await wait('grace', '192.0.2.1'), 0, 'another name goes on')
})

test('failures from one network wait, whatever names they try, and other networks go on', async () => {
  const { wait, move } = started()
  for (let i = 0; i < 30; i++) assert.equal(await wait(`name${i}`, `203.0.113.${i}`), 0)
  assert.ok((await wait('another')) > 0)
  assert.equal(await wait('another', '198.51.100.1'), 0)
  move(60 * 60_000)
  assert.equal(await wait('another'), 0)
})

test('a success forgets the failures of the name, and of the source only itself', async () => {
  const { throttle, wait } = started()
  for (let i = 0; i < 4; i++) await wait('ada')
  const attempt = await throttle.take('ada', THERE)
  attempt.succeeded()
  for (let i = 0; i < 5; i++) assert.equal(await wait('ada'), 0)
  assert.ok((await wait('ada')) > 0)

  for (let i = 0; i < 21; i++) {
    ;(await throttle.take('mallory', THERE)).succeeded()
    await wait(`guess${i}`)
  }
  await assert.rejects(throttle.take('mallory', THERE), { code: 'auth_throttled' })
})

test('an attempt that was not made counts for nothing', async () => {
  const { throttle, wait } = started()
  for (let i = 0; i < 50; i++) (await throttle.take('ada', THERE)).withdraw()
  for (let i = 0; i < 5; i++) assert.equal(await wait('ada'), 0)
  assert.ok((await wait('ada')) > 0)
})
