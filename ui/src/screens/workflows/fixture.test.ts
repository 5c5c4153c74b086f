import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readFixture, shellWords, summaryOf } from './fixture.ts'

const fixture = (text: string) => {
  const read = readFixture(text)
  return 'fault' in read ? read.fault : read.fixture
}

test('JSON is a request if it has members of one alone, and otherwise a body', () => {
  assert.deepEqual(fixture('{"method":"PUT","body":{"id":7}}'), { method: 'PUT', body: { id: 7 } })
  assert.deepEqual(fixture('{"order":7,"sku":"TEA-1"}'), { method: 'POST', body: { order: 7, sku: 'TEA-1' } })
  assert.deepEqual(fixture('[1]'), { method: 'POST', body: [1] })
  assert.deepEqual(fixture('  '), {})
  assert.match(String(fixture('{"a":')), /neither JSON nor a curl command/)
})

test('a curl command becomes its request, without credentials', () => {
  const text = `curl -X POST 'http://localhost:8080/orders/v1/checked?channel=web&tag=a&tag=b' \\
  -H "Authorization: Bearer abc" \\
  -H 'Content-Type: application/json' -u me:secret \\
  --data-raw '{"order": 7, "note": "it'\\''s"}' --compressed`
  const read = readFixture(text)
  assert.ok(!('fault' in read))
  assert.deepEqual(read.fixture, {
    method: 'POST',
    path: '/orders/v1/checked',
    query: { channel: 'web', tag: ['a', 'b'] },
    headers: { 'content-type': 'application/json' },
    body: { order: 7, note: "it's" },
  })
  assert.deepEqual(read.leftOut, ['Authorization', '-u'])
  assert.doesNotMatch(JSON.stringify(read), /abc|secret/)
  assert.match(summaryOf(read), /^POST \/orders\/v1\/checked with the JSON members order, note\. Left out/)
})

test('options of curl may be joined with their values, and data may be a query', () => {
  assert.deepEqual(fixture('curl -XDELETE localhost/x'), { method: 'DELETE', path: '/x' })
  assert.deepEqual(fixture('curl -G --data a=1 /x?b=2'), {
    method: 'GET',
    path: '/x',
    query: { b: '2', a: '1' },
  })
  assert.deepEqual(fixture(`curl --json=$'{"a":"\\u0041\\n"}' /x`), {
    ...{ method: 'POST', path: '/x', headers: { 'content-type': 'application/json' } },
    body: '{"a":"A\n"}',
  })
  assert.equal(fixture("curl 'x"), 'A quote in the curl command is not closed.')
  assert.equal(fixture('curl -s'), 'The curl command has no URL.')
})

test('no text breaks the reading', () => {
  const part = fc.constantFrom(
    'curl ',
    '-H',
    ' ',
    "'",
    '"',
    '\\',
    '\n',
    '$',
    '-d',
    'http://a/',
    '--json=',
    '{',
    ':',
  )
  const text = fc.oneof(
    fc.string(),
    fc.array(part).map((parts) => `curl ${parts.join('')}`),
  )
  fc.assert(
    fc.property(text, (given) => {
      const read = readFixture(given)
      assert.ok('fault' in read || typeof summaryOf(read) === 'string')
    }),
  )
})

test('a text that was quoted for a shell is read back', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' })), (words) => {
      const quoted = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
      assert.deepEqual(shellWords(quoted), words)
    }),
  )
})
