import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { nearestName } from './distance.ts'

test('the nearest name is told, whatever its case, and none where none is near', () => {
  const known = ['limits', 'limit', 'tags', 'gold']
  for (const [wrong, name] of [
    ['limts', 'limits'],
    ['LIMIT', 'limit'],
    ['glod', 'gold'],
    ['platinum', null],
    ['xy', null],
    ['', null],
  ] as const)
    assert.equal(nearestName(wrong, known), name, wrong)
})

test('a name that is long, or one among very many, takes no time to speak of', () => {
  assert.equal(nearestName('a'.repeat(1_000_000), ['a']), null)
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), fc.array(fc.string({ maxLength: 200 })), (wrong, known) => {
      const nearest = nearestName(wrong, known)
      assert.ok(nearest === null || known.includes(nearest))
    }),
  )
})
