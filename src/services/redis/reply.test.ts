import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fuzzCases } from '../../../test/support/long.ts'
import { ServiceFailure } from '../socket.ts'
import { commandBytes, RedisError, type Reply, ReplyReader } from './reply.ts'
import { replyValue } from './session.ts'

/** A reply as a server writes it. */
function written(reply: Reply): Buffer {
  if (reply === null) return Buffer.from('$-1\r\n')
  if (typeof reply === 'number') return Buffer.from(`:${reply}\r\n`)
  if (typeof reply === 'string') return Buffer.from(`+${reply}\r\n`)
  if (reply instanceof RedisError) return Buffer.from(`-${reply.code} and more\r\n`)
  if (Buffer.isBuffer(reply))
    return Buffer.concat([Buffer.from(`$${reply.length}\r\n`), reply, Buffer.from('\r\n')])
  const values = reply as readonly Reply[]
  return Buffer.concat([Buffer.from(`*${values.length}\r\n`), ...values.map(written)])
}

const { reply: anyReply } = fc.letrec<{ reply: Reply; list: readonly Reply[] }>((tie) => ({
  reply: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.constant(null),
    fc.maxSafeInteger(),
    fc.stringMatching(/^[A-Za-z ]{0,20}$/),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom(new RedisError('ERR'), new RedisError('WRONGTYPE')),
    tie('list'),
  ),
  list: fc.array(tie('reply'), { maxLength: 5 }),
}))

/** Cuts bytes at these places, into pieces that are not empty. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % bytes.length))].filter((place) => place > 0)
  at.sort((a, b) => a - b)
  return [...at, bytes.length].map((end, index) => bytes.subarray(index === 0 ? 0 : at[index - 1], end))
}

test('a reply is read as it was written, in whatever pieces it comes, and the next one after it', () => {
  fc.assert(
    fc.property(fc.array(anyReply, { minLength: 1, maxLength: 3 }), fc.array(fc.nat()), (replies, places) => {
      const reader = new ReplyReader(1_000_000)
      for (const reply of replies) {
        const pieces = cut(written(reply), places)
        const last = pieces.pop()!
        for (const piece of pieces) assert.equal(reader.take(piece), undefined)
        assert.deepEqual(reader.take(last), reply)
      }
    }),
    { numRuns: fuzzCases(500, 20_000) },
  )
})

test('any bytes are a reply, part of one, or refused', () => {
  let refused = 0
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc
      .stringMatching(/^[*$:+-]{1,2}[0-9-]{0,12}\r\n([*$:+-][0-9]\r\n){0,4}$/)
      .map((text) => Buffer.from(text)),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
      const reader = new ReplyReader(10_000)
      try {
        for (const bytes of pieces) reader.take(Buffer.from(bytes))
      } catch (error) {
        assert.ok(error instanceof ServiceFailure, String(error))
        refused++
      }
    }),
    { numRuns: fuzzCases(2000, 200_000) },
  )
  assert.ok(refused > 100, `${refused}`)
})

test('what is longer, deeper or wider than a reply may be is refused before it is kept', () => {
  const refuses = (text: string, kind: string): void =>
    assert.throws(
      () => new ReplyReader(100).take(Buffer.from(text)),
      (error) => error instanceof ServiceFailure && error.kind === kind,
      text,
    )
  refuses('$101\r\n', 'size')
  refuses('$4294967296\r\n', 'size')
  refuses(`+${'x'.repeat(101)}`, 'size')
  refuses('*1\r\n'.repeat(9), 'connect')
  refuses('*100001\r\n', 'connect')
  refuses('$1\r\nabc', 'connect')
  refuses(':1\r\n:2\r\n', 'connect')
  refuses('*-2\r\n', 'connect')
  refuses('!bad\r\n', 'connect')
})

test('a command is a list of texts and bytes with their lengths: no value ends it or begins another', () => {
  const bytes = commandBytes(['SET', 'ü\r\nDEL x', Uint8Array.of(0, 13, 10)])
  assert.equal(bytes.toString('latin1'), '*3\r\n$3\r\nSET\r\n$9\r\nÃ¼\r\nDEL x\r\n$3\r\n\0\r\n\r\n')
})

test('replies become JSON in the encoding of the node, and errors keep their first word alone', () => {
  const text = (value: string) => Buffer.from(value)
  const hash = [text('a'), text('1'), text('__proto__'), text('2')]
  assert.equal(JSON.stringify(replyValue('HGETALL', hash, 'json')), '{"a":1,"__proto__":2}')
  assert.deepEqual(replyValue('MGET', [text('x'), null], 'text'), ['x', null])
  assert.equal(replyValue('GET', Buffer.from([255]), 'base64'), '/w==')
  for (const encoding of ['text', 'json'] as const)
    assert.throws(() => replyValue('GET', Buffer.from([255]), encoding), { kind: 'encoding' })
  assert.throws(() => replyValue('GET', text('{'), 'json'), { kind: 'encoding' })
  const reader = new ReplyReader(1000)
  assert.deepEqual(reader.take(text("-ERR unknown command 'secret'\r\n")), new RedisError('ERR'))
  assert.deepEqual(reader.take(text('-secret\r\n')), new RedisError('ERR'))
  assert.equal(reader.take(text(':9223372036854775807\r\n')), '9223372036854775807')
})
