import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { toGlob } from './glob.ts'

test('a glob fits what the regular expression of the same meaning fits', () => {
  const text = (units: string): fc.Arbitrary<string> =>
    fc.string({ maxLength: 8, unit: fc.constantFrom(...units) })
  fc.assert(
    fc.property(text('ab.*'), text('ab.\n'), (glob, value) => {
      const source = glob.replaceAll('.', '\\.').replaceAll('*', '[^]*')
      assert.equal(toGlob(glob)(value), new RegExp(`^${source}$`).test(value), `${glob} ${value}`)
    }),
    { numRuns: 2000 },
  )
})
