import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Json } from '../../../../build/document.ts'
import { bounded, contentOf, type Entry, textOf } from './entry.ts'

const entry = (id: number, messages: readonly Json[]): Entry => ({
  id,
  at: 0,
  era: 'modern',
  message: {},
  headers: {},
  ms: 1,
  status: 200,
  requestId: null,
  messages,
  left: 0,
  fault: null,
})

test('the messages of the oldest entries are given up first, and those of the newest never', () => {
  const large = 'x'.repeat(60)
  const kept = bounded([entry(3, [large]), entry(2, [large, 'y']), entry(1, []), entry(0, ['z'])], 100)
  assert.deepEqual(
    kept.map(({ messages, left }) => [messages.length, left]),
    [
      [1, 0],
      [0, 2],
      [0, 0],
      [0, 1],
    ],
  )
  assert.deepEqual(bounded([entry(1, ['x'.repeat(200)])], 100)[0]?.messages.length, 1)
})

test('what is no text is written as JSON, also where it says that it is a text or has no end', () => {
  assert.equal(textOf({ toString: 1 }), '{\n  "toString": 1\n}')
  assert.equal(textOf(undefined), '')
  const deep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`) as Json
  assert.equal(textOf(deep), 'The value is nested too deeply to be shown.')
  const content = [{ type: 'image', data: 'abcd', mimeType: { toString: 1 } }]
  assert.match(contentOf([{ result: { content } } as Json])[0]!.text, /"toString": 1[\s\S]*about 3 bytes/)
})
