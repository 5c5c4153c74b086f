import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HeaderName } from './settable-header.ts'

test("a header of framing, forwarding or identity is not an operator's to set, in any case", () => {
  for (const name of ['Host', 'content-length', 'Transfer-Encoding', 'TE', 'Connection', 'Expect', 'Upgrade'])
    assert.equal(HeaderName.safeParse(name).success, false, name)
  for (const name of [
    'X-Request-ID',
    'X-Forwarded-For',
    'x-forwarded-host',
    'X-Postern-Client',
    'TraceParent',
  ])
    assert.equal(HeaderName.safeParse(name).success, false, name)
  for (const name of ['', 'a b', 'a:b', 'ä', 'x'.repeat(129)])
    assert.equal(HeaderName.safeParse(name).success, false, name)
  for (const name of ['X-Tenant', 'authorization', 'x'.repeat(128)])
    assert.equal(HeaderName.safeParse(name).success, true, name)
})
