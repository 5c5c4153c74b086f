import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StandingAnswers } from './era-stream.ts'

const answered = { ok: false, reason: '' } as const

test('a server that asks on a stream that stands gets 50 answers a minute: to ping a result, else that nothing is asked there', () => {
  let now = 0
  const sent: string[] = []
  const answers = new StandingAnswers(
    '2025-11-25',
    async ({ body, fields }) => {
      sent.push(`${/Mcp-Session-Id: (\S+)/.exec(fields)?.[1]} ${body}`)
      return answered
    },
    () => now,
  )
  const ping = (count: number): void => {
    for (let id = 0; id < count; id++) answers.answer({ id, method: 'ping' }, 'session')
  }
  answers.answer({ id: 'a', method: 'roots/list' }, 'session')
  answers.answer({ id: null, method: 'ping' }, 'session')
  ping(60)
  assert.equal(sent.length, 50)
  assert.equal(
    sent[0],
    'session {"jsonrpc":"2.0","id":"a","error":{"code":-32601,"message":"Requests are not supported on this stream"}}',
  )
  assert.equal(sent[1], 'session {"jsonrpc":"2.0","id":0,"result":{}}')
  now = 59_999
  ping(1)
  assert.equal(sent.length, 50)
  now = 60_000
  ping(60)
  assert.equal(sent.length, 100)
})
