import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refused } from '../../../test/control.ts'
import { INPUT_BYTES_MAX } from './call.ts'
import { demandInputSize, withoutExcess } from './parse-input.ts'

const work = async (input: unknown, isLarge = false): Promise<void> => demandInputSize(input, isLarge)
const many = (count: number): unknown[] => Array.from({ length: count }, () => 1)

test('an input over its size is refused, and only a large operation takes more', async () => {
  const text = 'x'.repeat(INPUT_BYTES_MAX)
  await refused(work({ document: text }), 'body_too_large')
  await work({ document: text }, true)
  await work({ document: text.slice(100) })
})

test('long lists and large objects are refused with the member in which they stand, before a schema sees them', async () => {
  await work({ ids: many(50_000) })
  for (const input of [{ ids: many(50_001) }, { ids: { deep: [{ deeper: many(50_001) }] } }]) {
    const { facts } = await refused(work(input), 'input_invalid')
    assert.equal(facts.errors![0]!.pointer, '/ids')
  }
  const names = Object.fromEntries(many(50_001).map((_, at) => [`n${at}`, 1]))
  await refused(work(names), 'input_invalid')
})

test('no schema judges the inside of what a large operation takes', async () => {
  await work({ document: { paths: many(60_000) } }, true)
  await refused(work({ documents: many(60_000) }, true), 'input_invalid')
})

test('a body without its excess is refused as the whole one is, also without its options, and any other body stays', async () => {
  const names = Object.fromEntries(many(60_000).map((_, at) => [`n${at}`, 1]))
  for (const input of [{ ids: many(60_000) }, { ids: names }, { dry_run: true, ...names }]) {
    const { dry_run: _, ...left } = withoutExcess(input)
    assert.ok(JSON.stringify(left).length < JSON.stringify(input).length)
    assert.deepEqual(
      (await refused(work(left, true), 'input_invalid')).facts,
      (await refused(work(input, true), 'input_invalid')).facts,
    )
  }
  const whole = { ids: many(50_000), document: { paths: many(60_000) }, text: 'a' }
  assert.deepEqual(withoutExcess(whole), whole)
})
