import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BodyPace, DEFAULT_LIMITS } from './limits.ts'

const pace = (): BodyPace => new BodyPace({ ...DEFAULT_LIMITS, bodyTimeoutMs: 30, bodyBytesMin: 100 })

test('a body goes on while each span brings enough, counted from its own start', () => {
  const body = pace()
  assert.equal(body.begin(0, 0), 30)
  assert.equal(body.piece(20), 30)
  assert.equal(body.expired(31, 100), 50)
  assert.equal(body.piece(45), 61)
  // What came before the span does not help in it
  assert.equal(body.expired(61, 199), null)
})

test('a pause ends a body, however much came before it', () => {
  const body = pace()
  body.begin(0, 0)
  body.piece(5)
  assert.equal(body.expired(30, 1000), 35)
  assert.equal(body.expired(35, 1000), null)
})

test('time in which the body was not wanted does not count', () => {
  const body = pace()
  body.begin(0, 0)
  assert.equal(body.begin(1000, 50), 1030)
  assert.equal(body.piece(1010), 1030)
  assert.equal(body.expired(1030, 150), 1040)
})

test('a body with a deadline of its own ends there, however fast it comes', () => {
  const body = pace()
  assert.equal(body.begin(0, 0, 40), 30)
  assert.equal(body.expired(30, 0), null)
  assert.equal(body.begin(0, 0, 40), 30)
  assert.equal(body.piece(25), 30)
  assert.equal(body.expired(30, 200), 40)
  assert.equal(body.piece(39), 40)
  assert.equal(body.expired(40, 100_000), null)
})
