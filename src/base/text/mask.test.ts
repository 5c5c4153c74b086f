import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { inTime } from '../../../test/support/in-time.ts'
import { mintClientSecret, mintSigningSecret, mintToken } from '../crypto/token.ts'
import { isSecretName, MASKED, maskText } from './mask.ts'

const JWT = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJlLW9mLWFkYQ'
const PEM = '-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIB\nAbCd==\n-----END EC PRIVATE KEY-----'

/** A secret and what may stand around it. */
const SECRETS: readonly (readonly [text: string, secret: string])[] = [
  ...(['pk', 'at', 'pt', 'su'] as const).map((kind) => {
    const { token } = mintToken(kind)
    return [`see ${token}.`, token] as const
  }),
  ...[mintSigningSecret(), mintClientSecret(), JWT, PEM].map((text) => [`<${text}>`, text] as const),
  [`https://postern.example/set-up?token=${'Ab1'.repeat(9)}`, 'Ab1Ab1'],
  ['postgres://app:hunter2@db.example/orders', 'hunter2'],
  ['https://api.example/orders?api_key=hunter2&page=2', 'hunter2'],
  ['/cb?code=4f9a2c&state=1', '4f9a2c'],
  ['Authorization: Bearer c2VjcmV0LXRva2VuMQ', 'c2VjcmV0LXRva2VuMQ'],
  ['Basic YWRhOmh1bnRlcjI=', 'YWRhOmh1bnRlcjI'],
  ['{"client_secret":"hunter2"}', 'hunter2'],
  ['{\\"password\\": \\"hunter2\\"}', 'hunter2'],
  ['password: hunter2', 'hunter2'],
  ['grant_type=password&password=hunter2', 'hunter2'],
  ['user[password]=hunter2&x=1', 'hunter2'],
  ['x=1&user%5Bpassword%5D=hunter2', 'hunter2'],
  ['use ghp_16C7e42F292c6912E7710c838347Ae178B4a', 'ghp_16C7'],
  ['AKIAIOSFODNN7EXAMPLE', 'AKIAIOSFODNN7EXAMPLE'],
  [PEM.replace('MHc', 'Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nMHc'), 'AbCd'],
  ['-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQOYBF\n-----END PGP PRIVATE KEY BLOCK-----', 'lQOYBF'],
  ['Authorization: Custom correcthorse', 'correcthorse'],
  ['Cookie: theme=dark; sid=4f9a2c', '4f9a2c'],
  ['{"password":"correct horse, battery"}', 'battery'],
  ['{"password":"a\\"hunter2"}', 'hunter2'],
  ['{"password":"$hunter2"}', 'hunter2'],
  ['{"password":"{{secret.x}}hunter2"}', 'hunter2'],
  ['{\\\\\\"password\\\\\\":\\\\\\"hunter2\\\\\\"}', 'hunter2'],
  ['postgres://app:p@hunter2@db.example/orders', 'hunter2'],
  ['https:\\/\\/app:hunter2@api.example', 'hunter2'],
  ['Ocp-Apim-Subscription-Key: hunter2', 'hunter2'],
  ['X-Auth-Key: hunter2', 'hunter2'],
  ['<password>hunter2</password>', 'hunter2'],
  ['https://a.example/x?X-Amz-Signature=4f9a2c&x=1', '4f9a2c'],
]

test('what looks like a secret does not stay in a text', () => {
  for (const [text, secret] of SECRETS) {
    const masked = maskText(text)
    assert.ok(!masked.includes(secret), `${text} -> ${masked}`)
    assert.ok(masked.includes(MASKED), masked)
  }
})

test('what people write stays as it is', () => {
  for (const text of [
    'Basic authentication is off; bearer tokens are on',
    'Rotate the token of the partner, ticket 12: 100%',
    'https://api.example/orders?page=2&key_id=7',
    'mailto:ada@example.com',
    'send Bearer <token> to https://api.example, where 3 tokens > 2',
    'password: {{secret.orders}}',
    '{"password":"{{secret.orders}}","token":"$\u007bTOKEN}","secret":""}',
    'col_01k9zv3x5t8q2m4n6p0r7s1w2y',
    'aud_01k9zv3x5t8q2m4n6p0r7s1w2y with sha256-0f1e2d',
    'sk-collections-of-things',
    '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----',
  ])
    assert.equal(maskText(text), text)
})

test('nothing that stands before or after it lets a secret stay', () => {
  fc.assert(
    fc.property(fc.constantFrom(...SECRETS), fc.string(), fc.string(), ([text, secret], before, after) => {
      assert.ok(!maskText(`${before} ${text} ${after}`).includes(secret))
    }),
  )
})

test('a text that is long, whatever it repeats, is masked in time', () => {
  for (const unit of [
    'password:"',
    'token=\\',
    '-----BEGIN PRIVATE KEY-----',
    '://a',
    'eyJaaaaaaaa',
    'Cookie: ',
    '\\',
  ])
    assert.ok(inTime(() => maskText(unit.repeat(400_000 / unit.length))).length <= 800_000)
})

test('names of secrets are told from those of what is about them', () => {
  for (const name of [
    'password',
    'client_secret',
    'X-Api-Key',
    'x-auth-token',
    'Cookie',
    'accessToken',
    'token',
    'user[password]',
    'account[user][api_key]',
    'password[0]',
  ])
    assert.equal(isSecretName(name), true, name)
  for (const name of [
    'token_url',
    'key_id',
    'auth_method',
    'tokens',
    'key',
    'max_tokens',
    'secret_changed_at',
  ])
    assert.equal(isSecretName(name), false, name)
})
