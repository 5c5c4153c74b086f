import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { redacted } from './redact.ts'
import { fingerprinted, isUnread, readUnread, unread, unreadBytes, withRead } from './unread.ts'

const GIVEN = [
  'openapi: 3.1.0\ninfo: {title: Grüße €}\n',
  { openapi: '3.1.0', info: { title: '€' } },
] as const

test('a document that was not read is the one that was given, also after a schema has copied it', () => {
  const schema = z.union([z.string(), z.looseObject({})])
  for (const document of GIVEN) {
    const copied = schema.parse(unread(document))
    assert.ok(isUnread(copied))
    assert.deepEqual(readUnread(copied), document)
    assert.deepEqual(withRead({ document: copied, slug: 'a' }), { document, slug: 'a' })
  }
})

test('nothing that JSON can say is taken for a document that was not read', () => {
  for (const value of [null, 'x', [], { bytes: [1, 2], form: 'text', hash: 'x' }, { bytes: { length: 1 } }]) {
    assert.equal(isUnread(value), false)
    assert.equal(readUnread(value as never), value)
  }
})

test('the fingerprint of an input tells documents apart without their bytes, and the same ones not', () => {
  const of = (document: string | object): unknown =>
    fingerprinted({ document: unread(document as never), a: 1 })
  const [text, object] = GIVEN
  assert.deepEqual(of(text), of(text))
  assert.deepEqual(of({ b: 1, a: 2 }), of({ a: 2, b: 1 }))
  assert.notDeepEqual(of(text), of(object))
  assert.ok(JSON.stringify(of(text)).length < 200)
})

test('an audit entry tells of a document that was not read that there is one', () => {
  const document = unread(GIVEN[0])
  assert.equal(unreadBytes({ document, slug: 'a' }), Buffer.byteLength(GIVEN[0]))
  assert.ok(JSON.stringify(redacted({ document })).length < 500)
})
