import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MASKED } from '../base/text/mask.ts'
import { withoutSecrets } from './apply.ts'

const CREDENTIAL = 'planted-credential-0042'
const JWT = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJlLW9mLWFkYQ'
const AWS = 'AKIAQX7PLANTED55KE7Z'
const { text, value } = withoutSecrets(CREDENTIAL)

test('a member with the name of a secret, and a value beside such a name, are masked as a whole', () => {
  assert.deepEqual(
    value({
      password: { of: 'ada' },
      client_secret: 7,
      token: '',
      cookie: null,
      headers: [{ name: 'X-Api-Key', value: 'k' }],
      order: 7,
    }),
    {
      password: MASKED,
      client_secret: MASKED,
      token: '',
      cookie: null,
      headers: [{ name: 'X-Api-Key', value: MASKED }],
      order: 7,
    },
  )
})

test('the credential of the caller is masked wherever it stands, unless it is too short to be told from words', () => {
  assert.equal(text(`see ${CREDENTIAL}, ${CREDENTIAL}`), `see ${MASKED}, ${MASKED}`)
  assert.deepEqual(value({ [CREDENTIAL]: [CREDENTIAL] }), { [MASKED]: [MASKED] })
  assert.deepEqual(withoutSecrets('12345678').value({ id: 12345678 }), { id: MASKED })
  assert.equal(withoutSecrets('order').text('an order'), 'an order')
  assert.equal(withoutSecrets('').text('an order'), 'an order')
})

test('no JSON value keeps a planted secret, none is changed in place, and what comes of it is JSON', () => {
  const planted = fc.constantFrom(
    CREDENTIAL,
    `Bearer ${CREDENTIAL}`,
    `see ${JWT}`,
    AWS,
    `password: ${CREDENTIAL}`,
    `https://app:${AWS}@db.example`,
  )
  const json = fc.letrec((tie) => ({
    node: fc.oneof(
      { maxDepth: 5 },
      // JSON has no -0
      fc.jsonValue().map((one) => JSON.parse(JSON.stringify(one))),
      planted,
      fc.array(tie('node'), { maxLength: 4 }),
      fc.dictionary(fc.oneof(fc.string(), planted), tie('node'), { maxKeys: 4 }),
    ),
  })).node
  fc.assert(
    fc.property(json, (given) => {
      const before = JSON.stringify(given)
      const clean = JSON.stringify(value(given))
      assert.equal(JSON.stringify(given), before)
      for (const secret of [CREDENTIAL, JWT, AWS]) assert.ok(!clean.includes(secret), clean)
      assert.deepEqual(JSON.parse(clean), value(given))
    }),
  )
})

test('what lies deeper than 64 levels is masked as a whole', () => {
  let deep: unknown = 'text'
  for (let level = 0; level < 200; level++) deep = [deep]
  let at = value(deep)
  let levels = 0
  for (; Array.isArray(at); at = at[0]) levels++
  assert.deepEqual([at, levels], [MASKED, 64])
})
