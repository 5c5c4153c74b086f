import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Members } from '../../protocol/message.ts'
import { withPublicUris } from './results.ts'

const METHODS = ['tools/call', 'prompts/get', 'resources/read'] as const
const prefixed = (uri: string): string => `p~${uri}`

test('URIs change where results name resources, and nowhere else', () => {
  const link = (uri: string): Members => ({ type: 'resource_link', uri, name: 'uri' })
  const tool = {
    content: [
      { type: 'text', text: 'a', uri: 'a' },
      link('a'),
      { type: 'resource', resource: { uri: 'b', text: 'b' } },
    ],
    structuredContent: { uri: 'a' },
    _meta: { uri: 'a' },
  }
  assert.deepEqual(withPublicUris('tools/call', tool, prefixed, null), {
    ...tool,
    content: [tool.content[0], link('p~a'), { type: 'resource', resource: { uri: 'p~b', text: 'b' } }],
  })
  const prompt = {
    messages: [
      { role: 'user', content: link('a') },
      { role: 'user', content: 'a' },
    ],
  }
  assert.deepEqual(withPublicUris('prompts/get', prompt, prefixed, null), {
    messages: [{ role: 'user', content: link('p~a') }, prompt.messages[1]],
  })
  const read = {
    contents: [
      { uri: 'a', text: 'a' },
      { uri: 'b', blob: '' },
    ],
  }
  assert.deepEqual(withPublicUris('resources/read', read, prefixed, { own: 'a', name: 'as asked' }), {
    contents: [
      { uri: 'as asked', text: 'a' },
      { uri: 'p~b', blob: '' },
    ],
  })
})

test('a result in which nothing changes is the same object, whatever an origin has written', () => {
  const member = fc.constantFrom('content', 'contents', 'messages', 'uri', 'type', 'resource', '__proto__')
  const leaf = fc.oneof(fc.constantFrom('resource', 'resource_link', 'a:b'), fc.integer(), fc.constant(null))
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'medium', maxDepth: 6 },
      leaf,
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(member, tie('value'), { maxKeys: 4, noNullPrototype: true }),
    ),
  }))
  const result = fc.dictionary(member, value, { noNullPrototype: true })
  fc.assert(
    fc.property(fc.constantFrom(...METHODS, 'other'), result, (method, made) => {
      const before = JSON.stringify(made)
      assert.equal(
        withPublicUris(method, made as Members, (uri) => uri, null),
        made,
      )
      const changed = JSON.stringify(withPublicUris(method, made as Members, prefixed, null))
      assert.equal(changed.replaceAll('p~', ''), before, 'nothing but URIs differs')
      assert.equal(JSON.stringify(made), before)
    }),
  )
})

test('of a result with very many URIs, all but the first are mapped the quick way, each once', () => {
  const asked: boolean[] = []
  const uris = Array.from({ length: 3000 }, (_, at) => `a:${at}`)
  const content = [...uris, ...uris].map((uri) => ({ type: 'resource_link', uri }))
  const note = (uri: string, isQuick: boolean): string => {
    asked.push(isQuick)
    return uri
  }
  withPublicUris('tools/call', { content }, note, null)
  assert.equal(asked.length, 3000)
  assert.equal(asked.filter((isQuick) => !isQuick).length, 1001)
})
