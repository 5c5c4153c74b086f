import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type FittedResult, fitResult, select, toWanted } from './answer-outcome.ts'

function fitted(
  body: unknown,
  fields: readonly string[],
  bytesMax: number,
  more = {},
): FittedResult & { value: unknown } {
  const bytes =
    body instanceof Uint8Array ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  const raw = {
    body: bytes,
    bodyBytes: bytes.length,
    truncated: false,
    mediaType: 'application/json',
    requestId: 'r',
  }
  const result = fitResult({ ...raw, ...more }, fields, bytesMax)
  return { ...result, value: JSON.parse(result.json) as unknown }
}

const order = {
  id: 7,
  customer: { name: 'A', 'full name': 'A B' },
  lines: [
    { n: 1, p: 2 },
    { n: 3, p: 4 },
  ],
}

test('paths select members through objects and lists', () => {
  for (const [paths, kept] of [
    [['id'], { id: 7 }],
    [['$.customer.name', 'id'], { customer: { name: 'A' }, id: 7 }],
    [['customer["full name"]'], { customer: { 'full name': 'A B' } }],
    [['lines[*].n'], { lines: [{ n: 1 }, { n: 3 }] }],
    [['lines[].n'], { lines: [{ n: 1 }, { n: 3 }] }],
    [['lines.p'], { lines: [{ p: 2 }, { p: 4 }] }],
    [['lines[1]'], { lines: [{ n: 3, p: 4 }] }],
    [['customer', 'customer.name'], { customer: order.customer }],
    [['customer.name', 'customer'], { customer: order.customer }],
    [['*.name'], { customer: { name: 'A' } }],
  ] as const)
    assert.deepEqual(fitted(order, paths, 4096).value, kept, paths.join())
  assert.deepEqual(fitted([order, order], ['id'], 4096).value, [{ id: 7 }, { id: 7 }])
})

test('fields that are not there are answered with those that are', () => {
  const { value, hint } = fitted(order, ['price'], 4096)
  assert.equal(value, null)
  assert.match(hint!, /id, customer, lines/)
  assert.match(fitted(order, ['a b'], 4096).hint!, /"a b" is no JSON path/)
})

test('a path named __proto__ selects that member and changes no prototype', () => {
  const value: unknown = JSON.parse('{"__proto__":{"a":1},"b":2}')
  const wanted = toWanted(['__proto__.a'])
  assert.ok(typeof wanted !== 'string')
  assert.equal(JSON.stringify(select(value, wanted)), '{"__proto__":{"a":1}}')
  assert.equal(({} as { a?: number }).a, undefined)
})

test('long lists are cut with their counts until the body fits', () => {
  const items = Array.from({ length: 500 }, (_, id) => ({ id, text: 'x'.repeat(20) }))
  const top = fitted(items, [], 2000)
  assert.ok(top.truncated && Buffer.byteLength(top.json) <= 2000)
  const kept = (top.value as unknown[]).length
  assert.ok(kept > 20)
  assert.match(top.hint!, new RegExp(`the list to ${kept} of 500 items`))

  const page = fitted({ total: 500, data: { items, other: items.slice(0, 3) } }, [], 2000)
  assert.ok(Buffer.byteLength(page.json) <= 2000)
  assert.match(page.hint!, /\/data\/items to \d+ of 500 items/)
  assert.equal((page.value as { data: { other: unknown[] } }).data.other.length, 3)
})

test('what cannot be cut as a list is cut as text between characters', () => {
  const long = fitted({ text: 'ä'.repeat(1000) }, [], 501)
  assert.equal(typeof long.value, 'string')
  assert.ok(long.truncated && Buffer.byteLength(long.value as string) <= 501)
  assert.doesNotMatch(long.json, /\ufffd/)
  const text = fitted('a'.repeat(1000), [], 300, { mediaType: 'text/plain' })
  assert.equal((text.value as string).length, 300)
  assert.match(text.hint!, /first 300 of 1000 bytes/)
})

test('a body that was not kept whole is given as text', () => {
  const { value, truncated, hint } = fitted('{"a":[1,2', ['a'], 4096, {
    truncated: true,
    bodyBytes: 9_000_000,
  })
  assert.equal(value, '{"a":[1,2')
  assert.ok(truncated)
  assert.match(hint!, /of 9000000 bytes/)
})

test('binary bodies are embedded resources, whole or not at all', () => {
  const bytes = Uint8Array.of(0xff, 0xd8, 0, 1)
  const small = fitted(bytes, [], 4096, { mediaType: 'image/jpeg' })
  assert.equal(small.value, null)
  assert.deepEqual(small.blocks, [
    {
      type: 'resource',
      resource: { uri: 'postern://responses/r', mimeType: 'image/jpeg', blob: '/9gAAQ==' },
    },
  ])
  const large = fitted(bytes, [], 3, { mediaType: '' })
  assert.deepEqual(large.blocks, [])
  assert.match(large.hint!, /Not shown: 4 bytes of application\/octet-stream/)
})

test('JSON that is announced but is none is text, and an empty body is null', () => {
  assert.equal(fitted('<oops>', [], 4096).value, '<oops>')
  assert.equal(fitted('', [], 4096).value, null)
  assert.equal(fitted('"a', [], 4096, { mediaType: '' }).value, '"a')
})

test('any body gives JSON within the bound', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.json(), fc.string(), fc.uint8Array()),
      fc.array(fc.string(), { maxLength: 3 }),
      fc.integer({ min: 16, max: 400 }),
      fc.constantFrom('application/json', 'text/plain', ''),
      fc.boolean(),
      (body, fields, bytesMax, mediaType, truncated) => {
        const result = fitted(body, fields, bytesMax, { mediaType, truncated })
        if (typeof result.value !== 'string')
          assert.ok(Buffer.byteLength(result.json) <= Math.max(bytesMax, 4))
        else assert.ok(Buffer.byteLength(result.value) <= Math.max(bytesMax, 4) + 2)
      },
    ),
  )
})
