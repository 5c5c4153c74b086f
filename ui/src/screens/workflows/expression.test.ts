import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { completionsOf, type Known, lastValueOf, pathBefore, pathTo, renameReferences } from './expression.ts'

const renamed = (text: string) => renameReferences(text, new Map([['call', 'ask']]))

test('a node is renamed in each way to write it, and nowhere else', () => {
  assert.equal(renamed('{{ $.call.body.call }}'), '{{ $.ask.body.call }}')
  assert.equal(renamed(`{{ $json['call'].body }}`), `{{ $json['ask'].body }}`)
  assert.equal(renamed('{{ call.body["call"] }}'), '{{ ask.body["call"] }}')
  assert.equal(renamed('{{ "$.call.x" + $.caller.y }}'), '{{ "$.call.x" + $.caller.y }}')
  assert.equal(renamed('$.call.body'), '$.call.body')
  assert.equal(renamed('{{ $.xs.map(call, call.id) }}'), '{{ $.xs.map(call, call.id) }}')
  assert.deepEqual(renameReferences({ a: ['{{ $.call.x }}', 1] }, new Map([['call', 'ask']])), {
    a: ['{{ $.ask.x }}', 1],
  })
})

test('no text breaks the renaming', () => {
  fc.assert(fc.property(fc.string(), (text) => typeof renamed(`{{ ${text} }}`) === 'string'))
})

test('a path is written as CEL reads it', () => {
  assert.equal(pathTo('call', ['body', 'items', 0, 'x-y']), '$.call.body.items[0]["x-y"]')
})

test('the path before the caret is found within an expression alone', () => {
  const text = 'a {{ $.call.bo }} $.x'
  assert.deepEqual(pathBefore(text, 14), { start: 5, path: '$.call.bo' })
  assert.equal(pathBefore(text, text.length), null)
  assert.deepEqual(pathBefore('{{ $', 4), { start: 3, path: '$' })
})

const KNOWN: readonly Known[] = [
  { id: 'http', outputs: { request: 'object: method, path, body' }, values: undefined },
  {
    id: 'call',
    outputs: { status: 'integer', body: 'any' },
    values: { status: 200, body: { id: 7, 'x-y': 1 } },
  },
]

test('completion offers nodes that run before, their outputs, and keys of the last run', () => {
  const of = (path: string) => completionsOf(path, KNOWN).map((one) => one.path)
  assert.deepEqual(of('$'), ['$.http', '$.call'])
  assert.deepEqual(of('$.ca'), ['$.call'])
  assert.deepEqual(of('$.call.'), ['$.call.status', '$.call.body'])
  assert.deepEqual(of('$.call.body.'), ['$.call.body.id'])
  assert.deepEqual(of('$.http.request.'), [
    '$.http.request.method',
    '$.http.request.path',
    '$.http.request.body',
  ])
  assert.deepEqual(of('$.later.'), [])
  assert.equal(completionsOf('$.call.st', KNOWN)[0]!.hint, '200')
})

test('a plain path shows its value in the last run', () => {
  assert.equal(lastValueOf('{{ $.call.body.id }}', KNOWN), 7)
  assert.equal(lastValueOf('{{ $.call.body.id + 1 }}', KNOWN), undefined)
  assert.equal(lastValueOf('{{ $.http.request }}', KNOWN), undefined)
})
