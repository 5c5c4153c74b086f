import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bodyFormOf } from '../../model/api/body-form.ts'
import { bodyBytes } from './body-bytes.ts'

const FILE = { type: 'string', format: 'binary' }

/** The body as it is sent, and its media type. */
function sent(body: unknown, types: string[], schema: object | null = {}, named?: string, shared = {}) {
  const form = bodyFormOf(
    { request_schema: schema as Record<string, never>, request_types: types },
    shared,
    named?.split(';')[0],
    Array.isArray(body),
  )
  const errors: { pointer: string; reason: string }[] = []
  const made = bodyBytes(body, form, named, errors)
  return made === null ? errors : [made.type, Buffer.from(made.bytes).toString('latin1')]
}

test('JSON goes in the JSON type of the description, whatever it is called', () => {
  assert.deepEqual(sent({ a: 1 }, []), ['application/json', '{"a":1}'])
  assert.deepEqual(sent({ a: 1 }, ['application/merge-patch+json']), [
    'application/merge-patch+json',
    '{"a":1}',
  ])
  assert.deepEqual(sent({ a: 1 }, ['application/vnd.api+json']), ['application/vnd.api+json', '{"a":1}'])
  assert.deepEqual(sent({ a: 1 }, ['application/xml', '*/*']), ['application/json', '{"a":1}'])
  assert.deepEqual(sent('{"a":1}', ['application/json']), ['application/json', '{"a":1}'])
  assert.deepEqual(sent('text', ['application/json']), ['application/json', '"text"'])
})

test('of several kinds of patches a list is a JSON Patch, and an object is another one', () => {
  const types = ['application/json-patch+json', 'application/merge-patch+json']
  assert.equal(sent([], types)[0], 'application/json-patch+json')
  assert.equal(sent({}, types)[0], 'application/merge-patch+json')
})

test('a form is made of the members of an object', () => {
  const body = { a: 'x y', list: [1, 2], deep: { b: true }, none: null }
  assert.deepEqual(sent(body, ['application/x-www-form-urlencoded']), [
    'application/x-www-form-urlencoded',
    'a=x%20y&list=1&list=2&deep%5Bb%5D=true',
  ])
})

test('multipart has a boundary, fields, and files from base64 and data URLs with their names', () => {
  const schema = {
    type: 'object',
    properties: {
      title: {},
      meta: { type: 'object' },
      file: { $ref: '#/$defs/File' },
      more: { type: 'array', items: FILE },
    },
  }
  const body = {
    title: 'é "x"',
    meta: { a: 1 },
    file: Buffer.from([0, 255]).toString('base64'),
    more: ['data:image/png;name=a%22.png;base64,AAE=', 'data:text/plain,hi'],
  }
  const [type, text] = sent(body, ['multipart/form-data'], schema, undefined, { File: FILE })
  const boundary = /^multipart\/form-data; boundary=([\w-]+)$/.exec(String(type))![1]!
  assert.deepEqual(String(text).split(`--${boundary}`), [
    '',
    `\r\nContent-Disposition: form-data; name="title"\r\n\r\n${Buffer.from('é "x"').toString('latin1')}\r\n`,
    '\r\nContent-Disposition: form-data; name="meta"\r\nContent-Type: application/json\r\n\r\n{"a":1}\r\n',
    '\r\nContent-Disposition: form-data; name="file"; filename="file"\r\nContent-Type: application/octet-stream\r\n\r\n\u0000\u00ff\r\n',
    '\r\nContent-Disposition: form-data; name="more"; filename="a%22.png"\r\nContent-Type: image/png\r\n\r\n\u0000\u0001\r\n',
    '\r\nContent-Disposition: form-data; name="more"; filename="more"\r\nContent-Type: text/plain\r\n\r\nhi\r\n',
    '--\r\n',
  ])
  assert.deepEqual(sent(body, ['multipart/form-data'], schema, undefined, { File: FILE }), [type, text])
  assert.deepEqual(sent({ file: 'no base64!' }, ['multipart/form-data'], schema, undefined, { File: FILE }), [
    { pointer: '/params/body/file', reason: 'must be base64, or a data: URL' },
  ])
})

test('names of fields cannot end their header', () => {
  const [, text] = sent({ 'a"\r\nX: y': 'v' }, ['multipart/form-data'])
  assert.match(String(text), /name="a%22%0D%0AX: y"\r\n\r\nv/)
})

test('bytes come from base64, and other types are text', () => {
  for (const type of ['application/octet-stream', 'image/png', 'application/pdf'])
    assert.deepEqual(sent('AP8=', [type]), [type, '\u0000\u00ff'])
  assert.deepEqual(sent('AP8=', ['application/x-own'], FILE), ['application/x-own', '\u0000\u00ff'])
  assert.deepEqual(sent('AP8=', ['application/x-own']), ['application/x-own', 'AP8='])
  assert.deepEqual(sent('<a/>', ['application/xml']), ['application/xml', '<a/>'])
  assert.deepEqual(sent('no base64!', ['image/png']), [
    { pointer: '/params/body', reason: 'must be base64, or a data: URL' },
  ])
  assert.deepEqual(sent('data:image/webp;base64,AP8=', ['image/*']), ['image/webp', '\u0000\u00ff'])
})

test('a content-type that the caller names is the one that is sent', () => {
  assert.deepEqual(sent('a,b', ['application/json'], {}, 'text/csv; charset=utf-8'), [
    'text/csv; charset=utf-8',
    'a,b',
  ])
  assert.deepEqual(sent('--x--', ['multipart/form-data'], {}, 'multipart/form-data; boundary=x'), [
    'multipart/form-data; boundary=x',
    '--x--',
  ])
})
