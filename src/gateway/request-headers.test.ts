import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { withoutParameter } from './forward/request.ts'
import { agentFields } from './request-headers.ts'

const KEPT_BACK = [
  'authorization',
  'x-client-id',
  'x-profile-id',
  'x-request-id',
  'traceparent',
  'tracestate',
  'x-real-ip',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-client-cert',
  'client-cert',
  'client-cert-chain',
  'x-postern-client',
  'host',
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'content-length',
  'transfer-encoding',
  'proxy-authorization',
  'proxy-connection',
]

test('lines of identity, framing and forwarding are kept back in every spelling', () => {
  for (const name of KEPT_BACK)
    for (const spelling of [name, name.toUpperCase(), name.replaceAll('-', '_')])
      assert.deepEqual(
        agentFields(`${spelling}: 1\r\nx-own: 2\r\n`),
        { pass: 'x-own: 2\r\n', withheld: '' },
        spelling,
      )
})

test('whatever comes in, what goes out is whole header lines with allowed names', () => {
  const piece = fc.oneof(
    fc.constantFrom('\r\n', '\r', '\n', ':', ' ', '\t', '\0', 'x', 'ä', '€', ...KEPT_BACK),
    fc.string({ maxLength: 5 }),
  )
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
      (fields) => {
        const out = agentFields(fields).pass
        if (out === '') return
        assert.ok(out.endsWith('\r\n'))
        for (const line of out.slice(0, -2).split('\r\n')) {
          assert.match(
            line,
            /^[!#$%&'*+.^_`|~0-9A-Za-z-]+: ([!-~\x80-\xff]([\t -~\x80-\xff]*[!-~\x80-\xff])?)?$/,
          )
          const name = line.slice(0, line.indexOf(':')).toLowerCase().replaceAll('_', '-')
          assert.ok(!KEPT_BACK.includes(name), line)
        }
      },
    ),
    { numRuns: 2000 },
  )
})

test('a parameter is taken out of a query in every encoding of its name, and nothing else is', () => {
  assert.equal(withoutParameter('a=1&key=2&b=3&key&%6Bey=4&KEY=5', 'key'), 'a=1&b=3&KEY=5')
  assert.equal(withoutParameter('%zz=1&key=%zz', 'key'), '%zz=1')
  const name = fc.string({ minLength: 1, maxLength: 5 }).filter((text) => text.isWellFormed())
  fc.assert(
    fc.property(name, fc.array(fc.tuple(name, name)), (taken, pairs) => {
      const query = new URLSearchParams(pairs).toString()
      const kept = [...new URLSearchParams(withoutParameter(query, taken))]
      assert.deepEqual(
        kept,
        pairs.filter(([key]) => key !== taken),
      )
    }),
  )
})
