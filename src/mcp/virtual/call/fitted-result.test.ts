import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  CallToolResultSchema,
  CompleteResultSchema,
  GetPromptResultSchema,
  ReadResourceResultSchema,
} from '@modelcontextprotocol/sdk/types.js'
import fc from 'fast-check'
import { plainResultIn } from '../../origin/answer.ts'
import type { Members } from '../../protocol/message.ts'
import { fitResult } from './results.ts'

const LEGACY = { version: '2025-11-25', isModernOrigin: false, uri: 'a:b' }
const MODERN = { version: '2026-07-28', isModernOrigin: true, uri: 'a:b' }
const TEXT = { type: 'text', text: 'a' }

function fitted(method: string, result: Members, way = LEGACY): Members {
  const found = fitResult(method, result, way)
  assert.ok('result' in found, JSON.stringify(found))
  return found.result
}
const contentOf = (content: unknown, way = LEGACY): unknown =>
  fitted('tools/call', { content }, way)['content']

test('a result that fits is passed as the same object', () => {
  const results: Readonly<Record<string, Members>> = {
    'tools/call': {
      content: [TEXT, { type: 'resource', resource: { uri: 'a:b', blob: 'AA==' } }],
      structuredContent: { a: null },
      _meta: { any: null },
    },
    'prompts/get': { description: 'A', messages: [{ role: 'user', content: TEXT }] },
    'resources/read': { contents: [{ uri: 'a:b', text: '' }] },
    'completion/complete': { completion: { values: ['a'], total: 1, hasMore: false } },
  }
  for (const [method, result] of Object.entries(results)) assert.equal(fitted(method, result), result)
})

test('null in the place of an optional member of a result or a content is left out', () => {
  const block = { ...TEXT, annotations: null, _meta: null }
  const result = { content: [block], structuredContent: null, isError: null, _meta: null, resultType: null }
  assert.deepEqual(fitted('tools/call', result), { content: [TEXT] })
  const link = { type: 'resource_link', uri: 'a:b', name: 'a' }
  assert.deepEqual(contentOf([{ ...link, mimeType: null, size: null }]), [link])
  assert.deepEqual(fitted('prompts/get', { description: null, messages: [] }), { messages: [] })
  const contents = [{ uri: 'a:b', mimeType: null, text: null, blob: 'AA==' }]
  assert.deepEqual(fitted('resources/read', { contents }), { contents: [{ uri: 'a:b', blob: 'AA==' }] })
  const completion = { values: ['a'], total: null, hasMore: null }
  assert.deepEqual(fitted('completion/complete', { completion }), { completion: { values: ['a'] } })
})

test('a lone content becomes a list, and a text a content', () => {
  assert.deepEqual(contentOf(undefined), [])
  assert.deepEqual(contentOf(TEXT), [TEXT])
  assert.deepEqual(contentOf('a'), [TEXT])
  const messages = [{ role: 'user', content: ['a', TEXT] }]
  const one = { role: 'user', content: TEXT }
  assert.deepEqual(fitted('prompts/get', { messages }), { messages: [one, one] })
})

test('in the place of a content that cannot be repaired stands a text that says so, and the others stay', () => {
  const left = (value: unknown): string => (value as readonly { readonly text: string }[])[0]!.text
  assert.match(left(contentOf([{ type: 'text', text: 5 }, TEXT])), /left out here: it has no text at \/text/)
  assert.match(left(contentOf([{ type: 'video' }])), /no type that MCP has/)
  assert.match(left(contentOf([{ type: 'image', data: '*', mimeType: 'image/png' }])), /no Base64 at \/data/)
  const { contents } = fitted('resources/read', { contents: [{ text: {} }, { text: 'b' }] })
  assert.match(left(contents), /no text at \/text/)
  assert.deepEqual((contents as unknown[])[1], { uri: 'a:b', text: 'b' })
})

test('Base64 of the alphabet for URLs is written in the usual one', () => {
  const image = { type: 'image', mimeType: 'image/png' }
  assert.deepEqual(contentOf([{ ...image, data: '-_-_' }]), [{ ...image, data: '+/+/' }])
})

test('a client of an earlier revision gets a text in the place of content that came later', () => {
  const link = { type: 'resource_link', uri: 'a:b', name: 'a' }
  const audio = { type: 'audio', data: 'AA==', mimeType: 'audio/wav' }
  const first = contentOf([link, audio], { ...LEGACY, version: '2024-11-05' }) as readonly Members[]
  assert.match(String(first[0]?.['text']), /came with revision 2025-06-18. It links to a:b/)
  assert.match(String(first[1]?.['text']), /came with revision 2025-03-26/)
  assert.deepEqual(contentOf([link, audio]), [link, audio])
})

test('structured content of any type is for clients since 2026-07-28, and others read it as text', () => {
  const result = { content: [], structuredContent: [1] }
  assert.equal(fitted('tools/call', result, MODERN), result)
  assert.deepEqual(fitted('tools/call', result), { content: [{ type: 'text', text: '[1]' }] })
})

test('a result without what its method asks for is told of', () => {
  assert.deepEqual(fitResult('prompts/get', {}, LEGACY), { fault: 'has no list at /messages' })
  assert.deepEqual(fitResult('resources/read', {}, LEGACY), { fault: 'has no list at /contents' })
  assert.deepEqual(fitResult('completion/complete', {}, LEGACY), {
    fault: 'has no list at /completion/values',
  })
})

const value: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, true, 0, 1.5, 'text', 'AA==', 'A', 'user', 'a:b', [], {}, ['a'], [null]),
  fc.constantFrom<unknown>('image', 'audio', 'resource', 'resource_link', 'assistant', { taskId: 'a' }),
)
const names = [
  'type',
  'text',
  'data',
  'mimeType',
  'uri',
  'name',
  'blob',
  'resource',
  'annotations',
  '_meta',
  'role',
  'content',
  'icons',
  'size',
  'title',
]
const part: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  part: fc.oneof(
    { maxDepth: 2 },
    value,
    fc.dictionary(fc.constantFrom(...names), fc.oneof(value, tie('part')), { maxKeys: 5 }),
    fc.record({ type: fc.constant('text'), text: value, annotations: value }, { requiredKeys: ['type'] }),
    fc.record({ type: fc.constantFrom('image', 'audio'), data: value, mimeType: value }),
    fc.record({ type: fc.constant('resource'), resource: tie('part') }),
    fc.record({ role: fc.constantFrom('user', 'assistant'), content: tie('part') }),
    fc.array(tie('part'), { maxLength: 2 }),
  ),
})).part
const CLIENT = {
  'tools/call': CallToolResultSchema,
  'prompts/get': GetPromptResultSchema,
  'resources/read': ReadResourceResultSchema,
  'completion/complete': CompleteResultSchema,
} as const
const METHODS = Object.keys(CLIENT) as (keyof typeof CLIENT)[]
const MEMBERS = [
  'content',
  'messages',
  'contents',
  'completion',
  'structuredContent',
  'isError',
  '_meta',
  'description',
  'resultType',
]
const result = fc.dictionary(fc.constantFrom(...MEMBERS), fc.oneof(part, fc.array(part, { maxLength: 3 })), {
  maxKeys: 4,
})

test('official clients take each result that is given, whatever an origin has written', () => {
  fc.assert(
    fc.property(fc.constantFrom(...METHODS), result, (method, given) => {
      const found = fitResult(method, given, LEGACY)
      if ('result' in found) CLIENT[method].parse(found.result)
    }),
    { numRuns: 5000 },
  )
})

test('a result that is passed without building its values fits', () => {
  let plain = 0
  fc.assert(
    fc.property(fc.array(part, { maxLength: 2 }), result, (content, members) => {
      const json = JSON.stringify({ content, ...members })
      const passed = plainResultIn(Buffer.from(`{"jsonrpc":"2.0","id":1,"result":${json}}`), 1)
      if (passed === null) return
      plain++
      const read = JSON.parse(passed.bytes.toString()) as Members
      CallToolResultSchema.parse(read)
      assert.equal(fitted('tools/call', read, { ...LEGACY, version: '2024-11-05' }), read)
    }),
    { numRuns: 5000 },
  )
  assert.ok(plain > 50, `${plain} were plain`)
})
