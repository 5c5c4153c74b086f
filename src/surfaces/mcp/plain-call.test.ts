import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Refusal } from '../../base/refusal.ts'
import { readPlainCall } from './door.ts'

const RUNS = { numRuns: 500 }

/** What is read of a text; a refusal is undefined. */
function read(text: string | Uint8Array, type?: string): ReturnType<typeof readPlainCall> | undefined {
  try {
    return readPlainCall(type, typeof text === 'string' ? Buffer.from(text) : text)
  } catch (error) {
    assert.ok(error instanceof Refusal, String(error))
    return undefined
  }
}

test('any body is a plain call, none, or refused, whatever it says its type is', () => {
  const piece = fc.constantFrom(
    '{',
    '}',
    '"tool"',
    '"jsonrpc"',
    ':',
    ',',
    '"a"',
    '[',
    ']',
    '1',
    '"__proto__"',
    '\\u0074',
  )
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.array(piece, { maxLength: 20 }).map((pieces) => Buffer.from(pieces.join(''))),
    fc.json().map((text) => Buffer.from(`{"tool":"x","arguments":${text}}`)),
  )
  fc.assert(
    fc.property(body, fc.option(fc.string(), { nil: undefined }), (bytes, type) => {
      const call = read(bytes, type)
      if (call == null) return
      const said = JSON.parse(Buffer.from(bytes).toString('utf8')) as Record<string, unknown>
      assert.equal(call.tool, said['tool'])
      assert.equal(Object.hasOwn(said, 'jsonrpc'), false)
      assert.equal(Object.getPrototypeOf(call.arguments), Object.prototype)
    }),
    RUNS,
  )
})

test('the arguments are what was sent, beside the tool or in arguments', () => {
  const name = fc.string().filter((text) => !['tool', 'jsonrpc', 'arguments', '__proto__'].includes(text))
  const value = fc.jsonValue().filter((one) => !JSON.stringify(one).includes('__proto__'))
  fc.assert(
    fc.property(fc.dictionary(name, value), fc.boolean(), (given, isInside) => {
      const wanted = JSON.parse(JSON.stringify(given)) as unknown
      const body = isInside ? { tool: 't', arguments: given } : { tool: 't', ...given }
      assert.deepEqual({ ...read(JSON.stringify(body))?.arguments }, wanted)
    }),
    RUNS,
  )
})

test('a member that is named twice is refused at any depth, however it is spelt', () => {
  const path = fc.array(fc.constantFrom('{"a":', '[{"b":'), { maxLength: 6 })
  fc.assert(
    fc.property(path, fc.constantFrom('x', '\\u0078'), (open, again) => {
      const close = open.map((text) => (text.startsWith('[') ? '}]' : '}')).reverse()
      const body = `{"tool":"t","deep":${open.join('')}{"x":1,"${again}":2}${close.join('')}}`
      JSON.parse(body)
      assert.equal(read(body), undefined)
    }),
    RUNS,
  )
})

test('broken JSON is refused with the place, unless it can be a message', () => {
  const told = (text: string, type?: string): string => {
    try {
      return readPlainCall(type, Buffer.from(text)) === null ? 'a message' : 'a call'
    } catch (error) {
      assert.ok(error instanceof Refusal, String(error))
      assert.equal(error.status, 400)
      assert.doesNotMatch(error.message, /secret/)
      return /line \d+, column \d+/.exec(error.message)?.[0] ?? error.message
    }
  }
  const form = 'application/x-www-form-urlencoded'
  for (const type of [undefined, form, 'application/json']) {
    assert.equal(told('{"tool": "get_widget", "id": secret}', type), 'line 1, column 30')
    assert.equal(told('{"tool": "get_widget",\n "id": "x",}', type), 'line 2, column 12')
    assert.equal(told("{'tool': 'secret'}", type), 'line 1, column 2')
    assert.equal(told('{"tool": "get_widget"', type), 'line 1, column 22')
  }
  assert.equal(told('{action: list}', form), 'line 1, column 2')
  assert.equal(told('{action: list}', 'application/json'), 'a message')
  assert.equal(told('{"jsonrpc": "2.0", "method": "tools/call"', 'application/json'), 'a message')
  assert.equal(told('{"jsonrpc": "2.0", "method": "ping"}', 'application/json'), 'a message')
})

test('what is nested deep enough to exhaust a stack is refused', () => {
  const deep = '['.repeat(200) + ']'.repeat(200)
  assert.equal(read(`{"tool":"t","deep":${deep}}`), undefined)
})
