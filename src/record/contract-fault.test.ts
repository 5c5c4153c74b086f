import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contractFaultOf, contractFaultText } from './contract-report.ts'

test('what a record says of a broken contract is read again, with any index', () => {
  const errors = [
    { pointer: '/lines/3/sku', reason: 'is required' },
    { pointer: '/lines/12/n', reason: 'must be >= 1' },
  ]
  const text = contractFaultText('body_invalid', errors)
  assert.deepEqual(contractFaultOf(text), { code: 'body_invalid', pointer: '/lines/*/sku', faults: 2 })
  assert.equal(contractFaultOf(`${text}; would be refused by limit "a"`)!.faults, 2)
  const whole = contractFaultText('body_invalid', [{ pointer: '', reason: 'must be JSON' }])
  assert.deepEqual(contractFaultOf(whole), { code: 'body_invalid', pointer: '', faults: 1 })
  const long = contractFaultText('body_invalid', [
    { pointer: `/${'a'.repeat(900)}`, reason: 'x' },
    errors[0]!,
  ])
  assert.ok(long.length <= 500)
})

test('a reason that tells of something else is no fault', () => {
  for (const reason of [
    '',
    'ECONNREFUSED',
    'no key of the token',
    'the body_invalid: /a is',
    'route_not_found: /a is',
  ])
    assert.equal(contractFaultOf(reason), null, reason)
})
