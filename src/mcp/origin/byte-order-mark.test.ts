import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readReply } from './answer.ts'
import { MessageStream } from './era-stream.ts'
import { OriginReader } from './reader.ts'

const MARK = '\ufeff'
const MESSAGE = '{"jsonrpc":"2.0","id":"1","result":{"tools":[]}}'
const BODIES: readonly (readonly [string, string, string])[] = [
  ['JSON', 'application/json', MARK + MESSAGE],
  ['an event stream', 'text/event-stream', `${MARK}data: ${MESSAGE}\n\n`],
  ['the data of an event', 'text/event-stream', `data: ${MARK}${MESSAGE}\n\n`],
]
for (const [what, type, body] of BODIES) {
  test(`a byte order mark before ${what} of an origin is skipped`, () => {
    const answer = { ok: true, status: 200, body: Buffer.from(body), truncated: false } as const
    const reply = readReply({ ...answer, header: () => type }, '1', false)
    assert.equal(reply.kind, 'result', JSON.stringify(reply))
  })

  test(`a byte order mark before ${what} of an origin is skipped in an answer that comes in pieces`, () => {
    const budget = { take: () => true, give() {} }
    const reader = new OriginReader('1', false, { bytesMax: 10_000, budget }, () => assert.fail())
    reader.head(200, type)
    const bytes = Buffer.from(body)
    for (let at = 0; at < bytes.length; at++) reader.piece(bytes, at, at + 1)
    assert.equal(reader.end().kind, 'result')
  })

  test(`a byte order mark before ${what} of an origin is skipped where messages are read one by one`, () => {
    const messages: unknown[] = []
    const stream = new MessageStream((message) => messages.push(message) > 0)
    stream.head(type)
    const bytes = Buffer.from(body)
    stream.piece(bytes, 0, bytes.length)
    stream.end()
    assert.deepEqual(messages, [JSON.parse(MESSAGE)])
  })
}
