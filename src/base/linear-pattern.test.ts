import assert from 'node:assert/strict'
import { test } from 'node:test'
import { linearPattern } from './linear-pattern.ts'

test('an expression is found anywhere in the text, as JSON Schema has it', () => {
  assert.equal(linearPattern('b+')!.test('abbc'), true)
  assert.equal(linearPattern('^b+$')!.test('abbc'), false)
  assert.equal(linearPattern('^[a-z]{2}/\\d+$')!.test('ab/12'), true)
  assert.equal(linearPattern('^\\u00e9$')!.test('é'), true)
  assert.equal(linearPattern('^(?<year>\\d{4})-\\p{L}$')!.test('2026-ä'), true)
})

test('what needs backtracking, is broken or too large is not taken', () => {
  for (const source of ['(?=a)b', '(a)\\1', '(', '[z-a]', '(?:(?:a{1000}){1000})', 'a'.repeat(5000)])
    assert.equal(linearPattern(source), null, source.slice(0, 40))
})

test('an expression that would take other engines forever ends', () => {
  assert.equal(linearPattern('^(a+)+$')!.test(`${'a'.repeat(50_000)}b`), false)
})
