import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createClock, createClockCell, moveClock } from '../base/clock.ts'
import { createServerLog } from './server-log.ts'

const cell = createClockCell()

function logged(secrets: readonly string[], pieces: readonly (string | Buffer)[]): string[] {
  const lines: string[] = []
  const log = createServerLog('small', secrets, (_, message) => lines.push(message), createClock(cell))
  for (const piece of pieces) log.push(Buffer.from(piece as string))
  log.close()
  return lines
}

test('each line is logged with the name, without what a terminal would obey', () => {
  assert.deepEqual(logged([], ['one\ntw', 'o\x1b[31m\r\n\n', 'last']), [
    'small: one',
    'small: two\\u001b[31m',
    'small: last',
  ])
})

test('secrets are replaced, also when they come in pieces', () => {
  assert.deepEqual(logged(['hush-hush'], ['a hush', '-hush b\n']), ['small: a [secret] b'])
  const bytes = Buffer.from('a psst-ä-😀 b\n')
  for (let at = 1; at < bytes.length; at++) {
    const pieces = [bytes.subarray(0, at), bytes.subarray(at)]
    assert.deepEqual(logged(['psst-ä-😀'], pieces), ['small: a [secret] b'])
  }
})

test('a line is cut, and no part of a secret is left at the cut', () => {
  fc.assert(
    fc.property(fc.integer({ min: 4050, max: 4110 }), fc.nat({ max: 3 }), (start, before) => {
      const secret = 'PLANTEDSECRETVALUE'
      const text = `${`${secret} `.repeat(before)}${'.'.repeat(start - before * 19)}${secret}${'.'.repeat(100)}\n`
      const [line] = logged([secret], [text])
      assert.doesNotMatch(line!, /PLAN|LUE/)
    }),
  )
})

test('lines beyond the bound are counted, and more may come later', () => {
  const lines: string[] = []
  const log = createServerLog('small', [], (_, message) => lines.push(message), createClock(cell))
  log.push(Buffer.from('x\n'.repeat(1000)))
  assert.ok(lines.length >= 100 && lines.length < 120, String(lines.length))
  moveClock(cell, 10_000)
  const before = lines.length
  log.push(Buffer.from('x\n'.repeat(1000)))
  assert.match(lines[before]!, /^small: (8\d\d|900) lines of its output are not logged/)
  log.close()
  assert.match(lines.at(-1)!, /lines of its output are not logged/)
})
