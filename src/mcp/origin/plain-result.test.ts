import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { JSON_DEPTH_MAX, readJson } from '../protocol/json.ts'
import { plainResultIn } from './answer.ts'

const responseOf = (result: string): string => `{"jsonrpc":"2.0","id":"a.1","result":${result}}`
const plainIn = (json: string) => {
  const plain = plainResultIn(Buffer.from(json), 'a.1')
  return plain === null ? null : { text: plain.bytes.toString(), hasType: plain.hasType }
}

test('a complete result without a resource is plain, as it was written', () => {
  for (const [result, hasType] of [
    ['{"content":[{"type":"text","text":"a \\"b\\" \\\\ é 😀"}],"isError":false}', false],
    ['{ "resultType" : "complete" ,\t"content" : [ ] , "_meta" : { "n" : -1.5e+3 } }', true],
    ['{"content":[{"mimeType":"image/png","data":"AAA=","type":"image"},{"text":"","type":"text"}]}', false],
    ['{"content":[],"structuredContent":{"a":[null,true,false,0,10,0.5,1E9,""],"resultType":"x"}}', false],
  ] as const) {
    assert.deepEqual(plainIn(responseOf(result)), { text: result, hasType }, result)
    const spaced = ` {"id" : "a.1",\n"jsonrpc":"2.0" , "result": ${result}\r\n } \n`
    assert.deepEqual(plainIn(spaced), { text: result, hasType }, spaced)
  }
})

test('a result that says anything else is not plain', () => {
  for (const result of [
    '{}',
    '[]',
    '{"content":[],"isError":true}',
    '{"content":[],"isError":true,"isError":false}',
    '{"content":[],"isErr\\u006fr":true}',
    '{"content":[],"\\/":1}',
    '{"resultType":"input_required"}',
    '{"resultType":"task"}',
    '{"resultType":null}',
    '{"content":[{"type":"resource_link","uri":"a:b"}]}',
    '{"content":[{"type":"resource","resource":{"uri":"a:b"}}]}',
    '{"content":[{"type":"r\\u0065source","resource":{"uri":"a:b"}}]}',
    '{"content":[],\n"isError":false}',
    '{"a":1}',
    '{"content":null}',
    '{"content":{}}',
    '{"content":["text"]}',
    '{"content":[{}]}',
    '{"content":[{"type":"text"}]}',
    '{"content":[{"type":"text","text":null}]}',
    '{"content":[{"type":"text","text":"a","annotations":null}]}',
    '{"content":[{"type":"audio","data":"AA==","mimeType":"audio/wav"}]}',
    '{"content":[{"type":"image","data":"A","mimeType":"image/png"}]}',
    '{"content":[{"type":"image","data":"A===","mimeType":"image/png"}]}',
    '{"content":[{"type":"image","data":"AA=="}]}',
    '{"content":[],"structuredContent":null}',
    '{"content":[],"structuredContent":[]}',
    '{"content":[],"_meta":null}',
    '{"content":[],"_meta":{"progressToken":{}}}',
  ]) {
    assert.ok(readJson(Buffer.from(responseOf(result))).ok, result)
    assert.equal(plainIn(responseOf(result)), null, result)
  }
})

test('a response to another request, or with more than its result, is not plain', () => {
  for (const json of [
    '{"jsonrpc":"2.0","id":"a.2","result":{"a":1}}',
    '{"jsonrpc":"2.0","id":1,"result":{"a":1}}',
    '{"jsonrpc":"2.0","id":"a.1","result":{"a":1},"result":{"b":1}}',
    '{"jsonrpc":"2.0","id":"a.1","result":{"a":1},"more":{}}',
    '{"jsonrpc":"2.0","id":"a.1","result":{"a":1}} {}',
    '{"jsonrpc":"2.0","id":"a.1","result":{"a":1}',
    '\u00a0{"jsonrpc":"2.0","id":"a.1","result":{"a":1}}',
    '\ufeff{"jsonrpc":"2.0","id":"a.1","result":{"a":1}}',
  ])
    assert.equal(plainIn(json), null, json)
})

test('a plain result is nested no deeper than a message may be', () => {
  const nested = (depth: number): string =>
    responseOf(`{"content":[],"a":${'['.repeat(depth)}${']'.repeat(depth)}}`)
  const most = JSON_DEPTH_MAX - 2
  assert.ok(readJson(Buffer.from(nested(most))).ok && plainIn(nested(most)) !== null)
  assert.ok(!readJson(Buffer.from(nested(most + 1))).ok && plainIn(nested(most + 1)) === null)
})

test('a plain result is what JSON.parse reads, and nothing that JSON.parse refuses is one', () => {
  const tokens =
    '{ } [ ] , : " \\" \\\\ \\n \\x \\ - + . 0 1 09 e E true false null tru "a" "é" "a": \u0001 \u00a0'
  const shards = fc.array(fc.constantFrom(' ', ...tokens.split(' ')), { maxLength: 9 })
  const value = fc.oneof(
    shards.map((parts) => parts.join('')),
    fc.json({ maxDepth: 3 }).filter((json) => !json.includes('\\u')),
  )
  let plain = 0
  fc.assert(
    fc.property(value, (text) => {
      const json = responseOf(`{"content":[],"a":${text}}`)
      const read = readJson(Buffer.from(json))
      const found = plainIn(json)
      const isRead = read.ok && Object.keys((read.value as { result: object }).result).length > 0
      // A member that the text adds behind its value may be one that the response has already
      fc.pre(!text.includes('"result'))
      if (found === null) {
        assert.ok(!isRead || !/^[^}]*$/.test(text), json)
        return
      }
      plain++
      assert.ok(isRead, json)
      assert.deepEqual(JSON.parse(found.text), (read.value as { result: unknown }).result)
    }),
    { numRuns: 3000 },
  )
  assert.ok(plain > 100, `${plain} were plain`)
})
