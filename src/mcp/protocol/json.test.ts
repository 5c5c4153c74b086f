import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CALLER_BOUNDS, JSON_DEPTH_MAX, readJson } from './json.ts'
import { type Members, rpcIdIn } from './message.ts'

const read = (text: string) => readJson(Buffer.from(text))

test('a member given twice in the envelope, params or _meta is refused, escaped or not', () => {
  for (const text of [
    '{"id":1,"id":2}',
    '{"method":"a","\\u006dethod":"b"}',
    '{"params":{"name":"a","name":"b"}}',
    '{"params":{"n\\u0061me":"a","x":[{}],"name":"b"}}',
    '{"params":{"_meta":{"a":1,"b":{"c":"d"},"a":2}}}',
    '{"params":{},"params":{}}',
    '[{"jsonrpc":"2.0"},{"id":1,"id":2}]',
    '[{"params":{"_meta":{"a":1,"a":2}}}]',
  ]) {
    const answer = read(text)
    assert.ok(!answer.ok && !answer.syntax, text)
    assert.match(answer.reason, /given twice/)
  }
})

test('an id of a long message keeps all its digits behind any space', () => {
  const pad = JSON.stringify('x'.repeat(150_000))
  for (const [spaces, digits] of [
    [' '.repeat(400), '9'.repeat(200)],
    ['\t\r\n'.repeat(300), '-9007199254740993'],
    ['', '9007199254740993'],
  ] as const) {
    const answer = read(`{"id":${spaces}${digits},"params":{"pad":${pad}}}`)
    assert.ok(answer.ok)
    assert.equal(String(rpcIdIn(answer.value as Members, 'id')), digits)
  }
})

test('members below those levels are the tool’s own', () => {
  for (const text of [
    '{"params":{"arguments":{"a":1,"a":2}}}',
    '{"other":{"_meta":{"a":1,"a":2}}}',
    '{"params":[{"_meta":{"a":1,"a":2}}]}',
    '{"a":"a","b":"a","params":{"a":"a"}}',
    '{"params":{"x":"params","_meta":"_meta"}}',
    '[{"x":"params"},[{"a":1,"a":2}],{"params":{"a":1}}]',
    '[["params",{"a":1,"a":2}],{"a":1}]',
    '{"params":["_meta",{"a":1,"a":2}],"x":"params"}',
  ])
    assert.ok(read(text).ok, text)
})

test('a member named __proto__ stays an ordinary member', () => {
  const answer = read('{"__proto__":{"method":"x"},"params":{"__proto__":{"name":"y"}}}')
  assert.ok(answer.ok)
  const value = answer.value as { method?: unknown; params: { name?: unknown } }
  assert.equal(value.method, undefined)
  assert.equal(value.params.name, undefined)
  assert.equal(({} as { method?: unknown }).method, undefined)
})

test('nesting is bounded', () => {
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
  assert.ok(read(nested(JSON_DEPTH_MAX)).ok)
  assert.ok(!read(nested(JSON_DEPTH_MAX + 1)).ok)
  assert.ok(!read('{"a":'.repeat(200_000)).ok)
})

test('objects, lists, members and items of a message of a caller are bounded, and what stands in texts does not count', () => {
  const { containers, values } = CALLER_BOUNDS
  const of = (text: string) => readJson(Buffer.from(text), CALLER_BOUNDS)
  const objects = (count: number): string =>
    `[${Array(count - 1)
      .fill('{}')
      .join()}]`
  const numbers = (count: number): string => `[${Array(count).fill('1').join()}]`
  assert.ok(of(objects(containers)).ok)
  assert.ok(of(numbers(values)).ok)
  assert.ok(of(JSON.stringify({ text: '{},[]'.repeat(values) })).ok)
  for (const [text, reason] of [
    [objects(containers + 1), /more than 100000 objects and lists/],
    [numbers(values + 1), /more than 500000 members and items/],
  ] as const) {
    const answer = of(text)
    assert.ok(!answer.ok && !answer.syntax)
    assert.match(answer.reason, reason)
    assert.ok(read(text).ok)
  }
})

test('bytes that are not UTF-8, a byte order mark and broken JSON are syntax errors', () => {
  for (const bytes of [
    Buffer.from([0x22, 0xff, 0x22]),
    Buffer.from('\ufeff{}'),
    Buffer.from('{"a":}'),
    Buffer.from(''),
  ]) {
    const answer = readJson(bytes)
    assert.ok(!answer.ok && answer.syntax)
  }
})

test('JSON without repeated members reads as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), (text) => {
      const answer = read(text)
      assert.ok(answer.ok)
      assert.deepEqual(answer.value, JSON.parse(text))
    }),
  )
})

test('a repeated member is found wherever it stands', () => {
  const short = fc.string({ maxLength: 6 })
  const long = fc.string({ unit: fc.constantFrom('\\', '"', 'a'), minLength: 20, maxLength: 60 })
  const key = fc.oneof({ weight: 3, arbitrary: short }, long).filter((name) => name !== '_meta')
  const value = fc.oneof(
    fc.json({ maxDepth: 3 }),
    long.map((text) => JSON.stringify(text)),
  )
  const members = fc.array(fc.tuple(key, value), { maxLength: 24, size: 'max' })
  fc.assert(
    fc.property(
      members,
      fc.constantFrom('envelope', 'params', 'meta'),
      fc.boolean(),
      (pairs, level, escaped) => {
        const quoted = (name: string): string =>
          escaped
            ? `"${[...name]
                .map((c) =>
                  c
                    .split('')
                    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
                    .join(''),
                )
                .join('')}"`
            : JSON.stringify(name)
        const body = pairs.map(([name, value]) => `${quoted(name)}:${value}`).join(',')
        const object = `{${body}}`
        const text =
          level === 'envelope'
            ? object
            : level === 'params'
              ? `{"params":${object}}`
              : `{"params":{"_meta":${object}}}`
        const names = pairs.map(([name]) => name)
        const repeated = new Set(names).size !== names.length
        // A member named params or _meta opens the next level, which may repeat members itself.
        fc.pre(!names.includes('params') || repeated)
        assert.equal(read(text).ok, !repeated, text)
      },
    ),
  )
})

test('arbitrary bytes never throw', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void readJson(bytes)))
  const shards = fc.array(
    fc.constantFrom('{', '}', '[', ']', '"', '\\', ':', ',', 'a', '"params"', '"_meta"', '\\"', ' '),
  )
  fc.assert(
    fc.property(shards, (parts) => {
      const text = parts.join('')
      const answer = read(text)
      if (!answer.ok) return
      assert.deepEqual(answer.value, JSON.parse(text))
    }),
    { numRuns: 2000 },
  )
})
