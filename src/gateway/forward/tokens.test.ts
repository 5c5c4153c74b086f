import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { createClock, createClockCell, moveClock } from '../../base/clock.ts'
import { Secret } from '../../base/crypto/token.ts'
import type { Plain } from '../../base/json/storable.ts'
import { Lru } from '../../base/memory/lru.ts'
import type { FetchJson } from '../../base/net/fetch-json.ts'
import { FetchFailure } from '../../base/net/guarded-fetch.ts'
import type { LinkedGrant, Sent } from '../../snapshot/linked-types/credential.ts'
import { createTokens, type Fetched } from './tokens.ts'

function grantOf(): LinkedGrant {
  return {
    url: 'https://id.example/token',
    clientId: 'a b',
    method: 'client_secret_basic',
    secret: new Secret('s:+ä'),
    key: null,
    keyId: null,
    claims: {},
    exchanges: false,
    form: { grant_type: 'client_credentials' },
    previous: null,
    tokens: new Lru(10),
  }
}

/** An endpoint that answers what stands in `answer`: an object, or a failure. */
function starting() {
  const cell = createClockCell()
  const state = {
    asked: [] as Parameters<FetchJson>[0][],
    answer: { access_token: 't1', token_type: 'Bearer', expires_in: 600 } as Plain | Promise<Plain> | Error,
  }
  const tokens = createTokens(createClock(cell), async (request) => {
    state.asked.push(request)
    if (state.answer instanceof Error) throw state.answer
    return state.answer
  })
  const grant = grantOf()
  /** What is given, once a question in the background has ended too. */
  const get = async (): Promise<string> => {
    const text = textOf(await tokens.of(grant, '', {}))
    await turn()
    return text
  }
  return { state, tokens, grant, get, pass: (ms: number) => moveClock(cell, ms) }
}

const textOf = (fetched: Fetched): string =>
  'reason' in fetched ? fetched.reason : fetched.line.replace('Authorization: Bearer ', '').trim()

test('a token is given at once while it is held, and its client is named as RFC 6749 says', async () => {
  const { tokens, grant, get, state } = starting()
  assert.equal(await get(), 't1')
  assert.equal(tokens.of(grant, '', {}) instanceof Promise, false)
  assert.equal(state.asked.length, 1)
  const [, pair = ''] = state.asked[0]!.authorization.split(' ')
  assert.equal(Buffer.from(pair, 'base64').toString(), 'a+b:s%3A%2B%C3%A4')
})

test('a token that ends soon is used on while a new one is fetched, and to its end while none can be', async () => {
  const { get, state, pass } = starting()
  await get()
  state.answer = new FetchFailure('answered 503', 503)
  pass(545_000)
  assert.equal(await get(), 't1')
  assert.equal(state.asked.length, 2)
  // Within its last half minute one is waited for; the endpoint that failed is left alone for a second
  pass(30_000)
  assert.equal(await get(), 't1')
  assert.equal(await get(), 't1')
  assert.equal(state.asked.length, 3)
  pass(25_001)
  assert.equal(await get(), 'the token endpoint: answered 503')
  state.answer = { access_token: 't2' }
  pass(1000)
  assert.equal(await get(), 't2')
  // Five minutes where the endpoint does not say
  state.answer = new FetchFailure('answered 503', 503)
  pass(299_000)
  assert.equal(await get(), 't2')
  pass(2000)
  assert.equal(await get(), 'the token endpoint: answered 503')
})

test('a token of a short life is used for three quarters of it', async () => {
  const { get, state, pass } = starting()
  state.answer = { access_token: 's1', expires_in: 8 }
  await get()
  state.answer = { access_token: 's2', expires_in: 8 }
  pass(3000)
  assert.equal(await get(), 's1')
  assert.equal(state.asked.length, 1)
  pass(4000)
  assert.equal(await get(), 's2')
})

test('what is no bearer token is not sent', async () => {
  for (const [answer, reason] of [
    [{}, /contains no access token/],
    [{ access_token: 7 }, /contains no access token/],
    [{ access_token: 'a\r\nX: 1' }, /contains no access token/],
    [{ access_token: '' }, /contains no access token/],
    [{ access_token: 'a', token_type: 'mac' }, /a type other than Bearer/],
  ] as const) {
    const { get, state } = starting()
    state.answer = answer
    assert.match(await get(), reason)
  }
})

test('a refused token is replaced at most once a second, by one question for all', async () => {
  const { tokens, grant, get, state, pass } = starting()
  await get()
  const refused = tokens.of(grant, '', {}) as Sent
  state.answer = { access_token: 't2' }
  const [one, two] = [tokens.instead(grant, '', {}, refused), tokens.instead(grant, '', {}, refused)]
  assert.deepEqual([textOf((await one)!), textOf((await two)!)], ['t2', 't2'])
  assert.equal(state.asked.length, 2)
  // One that comes late with the old one gets the new one
  assert.equal(textOf((await tokens.instead(grant, '', {}, refused))!), 't2')
  const again = tokens.of(grant, '', {}) as Sent
  assert.equal(tokens.instead(grant, '', {}, again), null)
  pass(1000)
  assert.equal(textOf((await tokens.instead(grant, '', {}, again))!), 't2')
  assert.equal(state.asked.length, 3)
})

test('a token that one caller was refused with is used on where no other can be had', async () => {
  const { tokens, grant, get, state, pass } = starting()
  await get()
  const refused = tokens.of(grant, '', {}) as Sent
  state.answer = new FetchFailure('answered 503', 503)
  const both = [tokens.instead(grant, '', {}, refused), tokens.instead(grant, '', {}, refused)]
  assert.equal(await get(), 't1')
  for (const instead of both) assert.equal(textOf((await instead)!), 'the token endpoint: answered 503')
  assert.equal(await get(), 't1')
  assert.equal(state.asked.length, 2)
  state.answer = { access_token: 't2' }
  pass(1000)
  assert.equal(await get(), 't1')
  assert.equal(textOf((await tokens.instead(grant, '', {}, refused))!), 't2')
  assert.equal(await get(), 't2')
})

test('an endpoint that is silent takes the places of its own credential alone', async () => {
  const { tokens, grant, get, state } = starting()
  const { promise, resolve } = Promise.withResolvers<Plain>()
  state.answer = promise
  const waiting = Array.from({ length: 64 }, (_, i) => tokens.of(grant, `caller ${i}`, {}))
  assert.match(textOf(await tokens.of(grant, 'one more', {})), /too many token requests/)
  state.answer = { access_token: 't2' }
  assert.equal(textOf(await tokens.of(grantOf(), '', {})), 't2')
  resolve({ access_token: 't1' })
  for (const fetched of waiting) assert.equal(textOf(await fetched), 't1')
  assert.equal(await get(), 't2')
})

test('an error that is none of the endpoint tells nothing of itself', async () => {
  const { get, state } = starting()
  state.answer = new TypeError('secret-text')
  assert.equal(await get(), 'the token endpoint: the request failed')
})
