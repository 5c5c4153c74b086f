import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyJson } from '../../../../test/support/any-json.ts'
import { plainResultIn, resultTextIn } from '../../origin/answer.ts'
import { readJson } from '../../protocol/json.ts'
import { isMembers } from '../../protocol/message.ts'
import { passedResult, resultFor } from './results.ts'

/** The text of the result of a message, as it comes from an origin; null as well where the message cannot be read. */
function textIn(json: string): string | null {
  const read = readJson(Buffer.from(json))
  return read.ok && isMembers(read.value) ? resultTextIn(read.text, read.value) : null
}

test('a result passes as it was written where it is the last of three members, on one line', () => {
  const result = '{"a": [1.0, "\\u0041}"]}'
  for (const json of [
    `{"jsonrpc":"2.0","id":1,"result":${result}}`,
    `{"id":"a.round-1","jsonrpc":"2.0","result":${result}}`,
    `\n{ "jsonrpc" : "2.0",\n "id" : -7,\t"result" : ${result} \r\n}\n`,
  ])
    assert.equal(textIn(json), result, json)
})

test('a result is written anew where more may stand behind it, or its lines would end an event', () => {
  for (const json of [
    '{"jsonrpc":"2.0","id":1,"result":{},"more":{}}',
    '{"jsonrpc":"2.0","result":{},"id":1}',
    '{"jsonrpc":"2.0","id":1,"result":{},"result":{"b":1}}',
    '{"jsonrpc":"2.0","id":1,"res\\u0075lt":{}}',
    '{"jsonrpc":"2.0","id":1,"result":{\n}}',
    '{"jsonrpc":"2.0","id":1,"result":{\r}}',
  ])
    assert.equal(textIn(json), null, json)
})

const space = fc.string({ unit: fc.constantFrom(' ', '\n', '\r', '\t'), maxLength: 2 })
const member = fc.oneof(
  fc.constantFrom('"jsonrpc":"2.0"', '"id":1', '"id":"1"', '"id":"a\\"b"', '"id":null', '"more":[{}]'),
  fc.dictionary(fc.string(), anyJson()).map((result) => `"result":${JSON.stringify(result)}`),
  fc.constantFrom('"result":{"resultType":"complete"}', '"result":{"resultType":null}', '"result":{ }'),
)

test('whatever an origin writes, the text says what was read, to clients of both eras', () => {
  const messages = fc.tuple(fc.array(member, { maxLength: 5 }), space, space)
  fc.assert(
    fc.property(
      messages,
      fc.boolean(),
      fc.boolean(),
      ([members, before, between], isModern, isModernOrigin) => {
        const json = `${before}{${members.join(`${between},`)}${between}}`
        const read = readJson(Buffer.from(json))
        if (!read.ok || !isMembers(read.value)) return
        const { result } = read.value
        const text = resultTextIn(read.text, read.value)
        if (text === null) return
        assert.ok(isMembers(result))
        assert.deepEqual(JSON.parse(text), result)
        const given = (as: string | null): unknown =>
          JSON.parse(resultFor('tools/call', result, isModernOrigin, isModern, as))
        assert.deepEqual(given(text), given(null))
        const plain = plainResultIn(Buffer.from(json), 1)
        const reply = { kind: 'result', result, text, plain } as const
        const passed = passedResult('tools/call', reply, isModernOrigin, isModern)
        if (passed?.kind === 'result') assert.deepEqual(JSON.parse(passed.text), given(null))
      },
    ),
  )
})
