import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fuzzCases } from '../../../test/support/long.ts'
import { toRunnerAddress } from './address.ts'

test('whatever is written, a runner is at an absolute path, or at a host and a port', () => {
  const written = fc
    .tuple(fc.constantFrom('unix:', 'unix:/', 'http://', 'https://', ''), fc.string({ unit: 'binary' }))
    .map(([scheme, rest]) => scheme + rest)
  fc.assert(
    fc.property(written, (text) => {
      const made = toRunnerAddress(text)
      if (made === null) return
      const { address, authority } = made
      if ('socketPath' in address) assert.match(address.socketPath, /^\/[^\0]*$/)
      else assert.ok(address.host !== '' && address.port > 0 && address.port < 65_536)
      // It goes into the Host field
      assert.match(authority, /^[!-~]+$/)
    }),
    { numRuns: fuzzCases(2000) },
  )
})
