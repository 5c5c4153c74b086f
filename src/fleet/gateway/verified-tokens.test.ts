import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClock } from '../../base/clock.ts'
import type { FromGateway } from '../shared/messages.ts'
import { createVerifiedTokens } from './verified-tokens.ts'

test('a source that has many tokens verified leaves the next one a place', async () => {
  const said: FromGateway[] = []
  const tokens = createVerifiedTokens(createClock(), (message) => said.push(message))
  for (let i = 0; i < 2000; i++) void tokens.ask(`junk ${i}`, 'rest', '192.0.2.1')
  assert.ok(said.length < 512, `${said.length} are being verified`)
  const token = tokens.ask('good', 'rest', '192.0.2.2')
  const question = said.at(-1)!
  assert.ok(question.kind === 'prove' && question.token === 'good')
  tokens.answered(question.id, 'usr_1')
  assert.equal(await token, 'usr_1')
  assert.equal(tokens.known('good', 'rest'), 'usr_1')
})

test('an answer gives the place back', async () => {
  const said: FromGateway[] = []
  const tokens = createVerifiedTokens(createClock(), (message) => said.push(message))
  for (let i = 0; i < 2000; i++) {
    const token = tokens.ask(`junk ${i}`, 'rest', '192.0.2.1')
    tokens.answered(i + 1, null)
    assert.equal(await token, null)
  }
  assert.equal(said.length, 2000)
})
