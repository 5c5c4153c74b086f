import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fuzzCases } from '../../test/support/long.ts'
import { withoutPause } from '../base/threads/time-slices.ts'
import type { FragmentKey } from './fragments.ts'
import { createPacker, FragmentText, PackedFragments, unpack } from './packed-fragments.ts'

const KINDS = ['client', 'collection', 'contracts', 'credential', 'policy', 'schemas'] as const

const key = fc
  .tuple(fc.constantFrom(...KINDS), fc.integer({ min: 0, max: 60 }))
  .map(([kind, id]): FragmentKey => `${kind}:${id}`)

/** JSON with names in any script, line breaks, and now and then as long as several pieces. */
const text = fc
  .tuple(fc.string({ unit: 'binary' }), fc.constantFrom(1, 1, 1, 2000, 60_000))
  .map(([name, times]) => JSON.stringify({ name: `${name}\n`.repeat(times) }))

const one = fc.tuple(key, text).map(([its, json]) => new FragmentText(its, `hash of ${json.length}`, json))

const change = fc.record({ put: fc.array(one, { maxLength: 12 }), drop: fc.array(key, { maxLength: 6 }) })

const inOrder = (all: Iterable<FragmentText>): FragmentText[] =>
  [...all].toSorted((a, b) => (a.key < b.key ? -1 : 1))

test('after any changes the fragments are what a map has, in order, and earlier states stay as they were', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 8 }), (changes) => {
      const map = new Map<string, FragmentText>()
      let packed = PackedFragments.NONE
      const states: [PackedFragments, FragmentText[]][] = []
      for (const { put, drop } of changes) {
        for (const its of drop) map.delete(its)
        for (const its of put) map.set(its.key, its)
        const paused = withoutPause(packed.withPaused(put, drop))
        packed = packed.with(put, drop)
        assert.deepEqual([...paused], [...packed])
        states.push([packed, inOrder(map.values())])
      }
      for (const [state, expected] of states) {
        assert.deepEqual([...state], expected)
        for (const kind of KINDS)
          assert.deepEqual(
            [...state.ofKind(kind)],
            expected.filter((its) => its.key.startsWith(`${kind}:`)),
          )
        assert.ok(state.pieces.every((piece) => unpack(piece).length > 0))
      }
    }),
    { numRuns: fuzzCases(8, 200) },
  )
})

test('a packer takes fragments in any order, and of one key the last', () => {
  const all = Array.from(
    { length: 1200 },
    (_, at) => new FragmentText(`client:${(at * 7919) % 1000}`, `${at}`, JSON.stringify({ at })),
  )
  const packer = createPacker()
  for (const its of all) packer.add(its)
  assert.deepEqual([...packer.done()], inOrder(new Map(all.map((its) => [its.key, its])).values()))
})

test('the texts of clients that are alike take a tenth of their length, and a change packs one piece', () => {
  const collections = Array.from({ length: 50 }, (_, at) => `col_${at}aaaaaaaaaaaaaaaa`)
  const fragment = (at: number, active: boolean) =>
    new FragmentText(
      `client:${String(at).padStart(5, '0')}`,
      `${at}`,
      JSON.stringify({ kind: 'client', id: `${at}`, active, collections }),
    )
  const packer = createPacker()
  for (let at = 0; at < 2000; at++) packer.add(fragment(at, true))
  const before = packer.done()
  const bytes = before.pieces.reduce((sum, piece) => sum + piece.length, 0)
  const chars = [...before].reduce((sum, { text: its }) => sum + its.length, 0)
  assert.ok(bytes * 10 < chars, `${bytes} of ${chars}`)
  assert.ok(before.pieces.every(({ buffer, byteLength }) => buffer.byteLength === byteLength))
  const after = before.with([fragment(1000, false)])
  const same = after.pieces.filter((piece) => before.pieces.includes(piece))
  assert.equal(same.length, before.pieces.length - 1)
  assert.ok(after.pieces.length <= before.pieces.length + 1)
})

test('very many changes are packed with a pause after each, and what is packed at once is about a piece', () => {
  const all = Array.from(
    { length: 5000 },
    (_, at) => new FragmentText(`client:${(at * 7919) % 5000}`, `${at}`, JSON.stringify({ at })),
  )
  const dropped = all.slice(0, 2000).map((one) => one.key)
  const before = withoutPause(PackedFragments.NONE.withPaused(all))
  let pauses = 0
  const steps = before.withPaused(all.slice(2000, 3000), dropped)
  let step = steps.next()
  for (; step.done !== true; step = steps.next()) pauses++
  assert.ok(pauses >= 1004, `${pauses}`)
  assert.deepEqual([...step.value], inOrder(all.slice(2000)))
})
