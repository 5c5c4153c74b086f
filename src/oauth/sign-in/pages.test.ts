import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { mintToken } from '../../base/crypto/token.ts'
import { refuse } from '../../base/refusal.ts'
import { createSignInPages, PASSWORD_PATH, SET_UP_PATH } from './pages.ts'

const ORIGIN = 'https://gateway.example'
const { token, hash } = mintToken('su')
const link = { hash, user: null, purpose: 'first', expires_at: 0 } as const
const ada = { id: 'usr_ada', slug: 'ada', name: 'Ada', email: null, active: true }

/** Pages behind which nothing is stored. */
function opened() {
  const faults: unknown[] = []
  const done: unknown[] = []
  const pages = createSignInPages({
    origin: ORIGIN,
    managementOrigin: ORIGIN,
    links: {
      first: () => assert.fail('no page makes a link'),
      reset: () => assert.fail('no page makes a link'),
      find: async (given) => (given === token ? link : undefined),
    },
    users: {
      setUp: async (_link, person) => {
        if (person.name === 'Fail') throw new Error('of the store')
        done.push(person)
      },
      setPassword: async (user) => void done.push(user.slug),
    },
    onToConsole: { loginUrl: async () => null, ticket: () => assert.fail('no console') },
    accounts: { find: async () => ada, findLocal: async () => ada },
    passwords: { hash: async () => 'hash', verify: () => assert.fail('no page verifies') },
    prove: async (name) => {
      if (name === 'ada') return { account: ada, hash: 'before' }
      if (name === 'busy') throw refuse('auth_throttled', { members: { retry_after_ms: 1500 } })
      throw refuse('credential_invalid', { detail: 'wrong' })
    },
    noteUnknown: () => {},
    facts: () => ({ ip: null, userAgent: null, requestId: 'req_1' }),
    fault: (error) => faults.push(error),
  })
  const ask = (method: string, path: string, headers: Record<string, string>, body?: string | Uint8Array) =>
    pages(new Request(ORIGIN + path, { method, headers, ...(body === undefined ? {} : { body }) }))
  return { ask, faults, done }
}

const FORM = { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin' }

test('any form of any kind is answered with a page, and what is in it stays text', async () => {
  const { ask, faults } = opened()
  const field = fc.constantFrom('token', 'name', 'email', 'password', 'new-password', 'repeat', 'other')
  const value = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(token, 'ada', 'busy', '<b>x', 'a long password'),
  )
  const form = fc
    .array(fc.tuple(field, value), { maxLength: 8 })
    .map((fields) => `${new URLSearchParams(fields)}`)
  const body = fc.oneof(form, fc.uint8Array({ maxLength: 200 }), fc.constant('x'.repeat(17_000)))
  const headers = fc.record({
    'content-type': fc.constantFrom(
      FORM['content-type'],
      'application/x-www-form-urlencoded; charset=utf-8',
      'text/plain',
    ),
    'sec-fetch-site': fc.constantFrom('same-origin', 'cross-site', 'none'),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(SET_UP_PATH, PASSWORD_PATH),
      headers,
      body,
      async (path, given, sent) => {
        const answer = await ask('POST', path, given, sent as string)
        const text = await answer.text()
        assert.ok(answer.status < 500, `${answer.status} ${text}`)
        assert.match(answer.headers.get('content-security-policy') ?? '', /default-src 'none'/)
        assert.doesNotMatch(text, /<b>x/)
      },
    ),
    { numRuns: 200 },
  )
  assert.deepEqual(faults, [])
})

test('who is told to wait is told for how long, and a fault tells its request alone', async () => {
  const { ask, faults, done } = opened()
  const form = (fields: Record<string, string>) => `${new URLSearchParams(fields)}`
  const busy = await ask('POST', PASSWORD_PATH, FORM, form({ name: 'busy', password: 'x' }))
  assert.deepEqual([busy.status, busy.headers.get('retry-after')], [429, '2'])

  const fields = {
    token,
    name: 'Ada',
    email: 'ada@example.com',
    'new-password': 'a long password',
    repeat: 'a long password',
  }
  const set = await ask('POST', SET_UP_PATH, FORM, form(fields))
  assert.equal(set.status, 200)
  assert.ok((await set.text()).includes(`postern login ${ORIGIN}<`), 'the page says where to sign in')
  assert.deepEqual(done, [{ name: 'Ada', email: 'ada@example.com' }])
  assert.deepEqual(faults, [])
  const failed = await ask('POST', SET_UP_PATH, FORM, form({ ...fields, name: 'Fail' }))
  assert.equal(failed.status, 500)
  const text = await failed.text()
  assert.match(text, /req_1/)
  assert.doesNotMatch(text, /of the store/)
  assert.equal(faults.length, 1)
})
