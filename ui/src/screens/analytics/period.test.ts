import assert from 'node:assert/strict'
import { test } from 'node:test'
import { askedOf, brushed, isMoving, periodBefore, widthMs, zoomedOut } from './period.ts'

const HOUR = 3_600_000
const NOON = Date.parse('2026-03-29T12:00:00Z')

test('filters of the address are asked, and what shapes the page is not', () => {
  assert.deepEqual(askedOf({ by: 'client', compare: 'true', status: ['4xx', '5xx'] }), {
    from: '-24h',
    status: '4xx',
  })
  assert.deepEqual(askedOf({ from: '-7d', collection: 'orders' }), { from: '-7d', collection: 'orders' })
  assert.ok(isMoving({ from: '-7d' }) && isMoving({ to: 'now' }) && !isMoving({ to: '2026-03-29' }))
})

test('the width of a point is read as the server writes it', () => {
  assert.deepEqual(
    ['10s', '15m', '1h30m', '1d', 'soon'].map(widthMs),
    [10_000, 900_000, 5_400_000, 86_400_000, 0],
  )
})

test('the period before ends where this one begins, and its points lie below those of this one', () => {
  const whole = periodBefore({ from: NOON - 24 * HOUR, to: NOON }, HOUR)
  assert.deepEqual(whole, { from: NOON - 48 * HOUR, to: NOON - 24 * HOUR, shift: 24 * HOUR })
  const moving = periodBefore({ from: NOON - 24 * HOUR + 7000, to: NOON + 7000 }, HOUR)
  assert.equal(moving.shift % HOUR, 0)
  assert.ok(moving.to <= NOON - 24 * HOUR && moving.from + moving.shift <= NOON - 24 * HOUR + 7000)
})

test('seven days are compared with the seven days before, at the same hours', () => {
  const week = 7 * 24 * HOUR
  const before = periodBefore({ from: NOON - week - 2 * HOUR, to: NOON + HOUR }, 6 * HOUR)
  assert.equal(before.shift, week)
  assert.ok(before.to <= NOON - week - 2 * HOUR && before.from < before.to)
})

test('a part that was chosen takes whole points, and a click on one of them takes it', () => {
  assert.deepEqual(brushed({ from: NOON + 5, to: NOON + HOUR + 5 }, HOUR), {
    from: NOON,
    to: NOON + 2 * HOUR,
  })
  assert.deepEqual(brushed({ from: NOON, to: NOON }, HOUR), { from: NOON, to: NOON + HOUR })
})

test('zooming out never shows the future', () => {
  assert.deepEqual(zoomedOut({ from: NOON - HOUR, to: NOON }, NOON), { from: NOON - 3 * HOUR, to: NOON })
  assert.deepEqual(zoomedOut({ from: NOON - 9 * HOUR, to: NOON - 8 * HOUR }, NOON), {
    from: NOON - 10 * HOUR,
    to: NOON - 7 * HOUR,
  })
})
