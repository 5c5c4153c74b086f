import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isReserved, RESERVED_PATHS } from './http-names.ts'

test('a path is reserved when it is one of the list or lies below one, and never else', () => {
  const start = fc.constantFrom(...RESERVED_PATHS, '/orders', '/api', '', '/')
  const rest = fc.constantFrom('', '/', '/x', 'x', '-x', '//', '/mcp', '/v1/mcp')
  const path = fc.oneof(
    fc.tuple(start, rest).map((parts) => parts.join('')),
    fc.string(),
  )
  fc.assert(
    fc.property(path, (text) => {
      const listed = RESERVED_PATHS.some((one) => text === one || text.startsWith(`${one}/`))
      assert.equal(isReserved(text), listed, text)
    }),
    { numRuns: 2000 },
  )
})
