import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { headEnd } from './grammar.ts'

test('the end of a head is where the first empty line is, wherever one looks from and to', () => {
  const piece = fc.constantFrom('\r\n\r\n', '\r\n', '\r', '\n', 'a', 'bcd', '\n\r', ' ')
  const text = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(''))
  fc.assert(
    fc.property(text, fc.nat(20), fc.nat(20), (head, from, less) => {
      const end = Math.max(from, head.length - less)
      const found = head.slice(0, end).indexOf('\r\n\r\n', from)
      assert.equal(headEnd(Buffer.from(head, 'latin1'), from, end), found)
    }),
    { numRuns: 5000 },
  )
})
