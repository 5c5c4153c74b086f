import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BASE62, chars, planted, seeded } from '../../../test/support/planted-values.ts'
import { mintClientSecret, mintSigningSecret, mintToken } from '../../base/crypto/token.ts'
import { compileDetectors } from '../compile.ts'
import { SECRET_KINDS } from '../settings.ts'

const detectors = compileDetectors([{ detector: 'secrets' }])

function found(text: string, name = ''): string[] {
  return detectors.find(text, name).map(({ start, end, kind }) => `${kind}: ${text.slice(start, end)}`)
}

test('tokens of each issuer are found in a sentence and as a member', () => {
  const random = seeded(11)
  for (const kind of SECRET_KINDS.filter((one) => one !== 'named' && one !== 'connection_string'))
    for (let round = 0; round < 100; round++) {
      const { value } = planted(random, kind)
      const expected = `${kind}: ${value}`
      assert.deepEqual(found(`Use ${value}, please.`), [expected], value)
      assert.ok(
        found(JSON.stringify({ a: 1, key: value.replaceAll('\n', ' ') })).includes(
          expected.replaceAll('\n', ' '),
        ),
        value,
      )
    }
})

test('every kind of token that Postern issues is found', () => {
  const tokens = [
    ...(['pk', 'ht', 'at', 'pt', 'su'] as const).map((kind) => mintToken(kind).token),
    mintSigningSecret(),
    mintClientSecret(),
  ]
  for (const token of tokens) assert.deepEqual(found(`key ${token}.`), [`postern: ${token}`])
})

test('words that only begin like tokens are not found', () => {
  for (const text of [
    'pst_pk_',
    'task-management-system-for-teams-of-ten-people-at-least-once',
    'sk-learn is a library, and so is sk-ant-colony-optimisation',
    'AKIA is a prefix',
    `AKIA${'1'.repeat(16)}`,
    'ghp_short',
    'xoxb-is-the-mark-of-a-bot-token-of-slack',
    `${chars(seeded(1), 8, BASE62)}ghp_${chars(seeded(2), 36, BASE62)}`,
    'eyJ.eyJ.eyJ',
    'eyJhbGciOiJIUzI1NiJ9',
    '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----',
    '-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----',
  ])
    assert.deepEqual(found(text), [], text)
})

test('tokens that were written as examples are not found', () => {
  for (const text of [
    'AKIAIOSFODNN7EXAMPLE',
    `ghp_${'x'.repeat(36)}`,
    `ghp_1234567890${chars(seeded(3), 26, BASE62)}`,
    'xoxb-000000000000-000000000000-xxxxxxxxxxxxxxxxxxxxxxxx',
    'sk-proj-your-key-of-32-characters-or-more-1',
    'AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  ])
    assert.deepEqual(found(text), [], text)
})

test('a private key is found whole, also as it stands in JSON, and as far as it goes without its end', () => {
  const { value } = planted(seeded(5), 'private_key')
  assert.deepEqual(found(`a ${value} b`), [`private_key: ${value}`])
  const escaped = value.replaceAll('\n', '\\n')
  assert.deepEqual(found(`{"pem":"${escaped}"}`), [`private_key: ${escaped}`])
  const cut = value.slice(0, 200)
  assert.deepEqual(found(`${cut}"}`), [`private_key: ${cut}`])
})

test('the password of a connection string is found, and a placeholder is not', () => {
  for (const [text, password] of [
    ['postgres://app:s3cret@db:5432/orders?x=1', 's3cret'],
    ['redis://:s3cret@cache', 's3cret'],
    ['mongodb+srv://a:p@ss@host', 'p@ss'],
  ])
    assert.deepEqual(found(text!), [`connection_string: ${password}`])
  for (const text of [
    'https://example.com:8080/a@b',
    'postgres://app@db/orders',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a placeholder of a template is what is tested
    'postgres://app:${PASSWORD}@db',
    'postgres://app:<password>@db',
    'postgres://app:****@db',
    'http://[::1]:80/',
  ])
    assert.deepEqual(found(text), [], text)
})

test('values behind names of secrets are found if they look generated', () => {
  for (const [text, value] of [
    ['password=hunter2A!', 'hunter2A!'],
    ['PASSWORD: hunter2A!', 'hunter2A!'],
    ['{"db_password": "hunter2 A!"}', 'hunter2 A!'],
    ["api_key => 'Zx81kqP0sm3KKe02mZbQ'", 'Zx81kqP0sm3KKe02mZbQ'],
    ['{"clientSecret":"Zx81kqP0sm3KKe02mZbQ"}', 'Zx81kqP0sm3KKe02mZbQ'],
    ['{\\"api_key\\":\\"Zx81kqP0sm3KKe02mZbQ\\"}', 'Zx81kqP0sm3KKe02mZbQ'],
    ['x-api-key: Zx81kqP0sm3KKe02mZbQ', 'Zx81kqP0sm3KKe02mZbQ'],
    ['Authorization: Bearer Zx81kqP0sm3KKe02mZbQ', 'Zx81kqP0sm3KKe02mZbQ'],
    ['?access_token=Zx81kqP0sm3KKe02mZbQ&x=1', 'Zx81kqP0sm3KKe02mZbQ'],
  ])
    assert.deepEqual(found(text!), [`named: ${value}`], text)
  for (const text of [
    'password: changeme',
    'password: required',
    'password=',
    'api_key: your-api-key-1234567890',
    '{"token": "2024-01-15T10:30:00Z"}',
    '{"next_page_token": "Zx81kqP0sm3KKe02mZbQ"}',
    '{"max_tokens": "Zx81kqP0sm3KKe02mZbQ"}',
    'the password of the account is not known',
    '{"secret": true, "note": "Zx81kqP0sm3KKe02mZbQ"}',
    'token: {{ $.login.token }}',
  ])
    assert.deepEqual(found(text), [], text)
})

test('a short token of a query that asks for a page is no secret', () => {
  for (const query of ['offset=252&token=', 'page=2&sort=name&token=', 'limit=20&token=', 'cursor=&token='])
    assert.deepEqual(found(`https://api.example.com/v1/search?${query}a8cd330fd8f2cad6`), [], query)
  for (const [query, value] of [
    ['offset=252&access_token=', 'a8cd330fd8f2cad6'],
    ['offset=252&token=', 'a8cd330fd8f2cad6b71e'],
    ['user=5&token=', 'a8cd330fd8f2cad6'],
    ['offset=252&api_key=', 'a8cd330fd8f2cad6'],
  ])
    assert.deepEqual(found(`https://api.example.com/v1/search?${query}${value}`), [`named: ${value}`], query)
  // A page of another address
  assert.deepEqual(found('?offset=1&x=2 token=a8cd330fd8f2cad6'), ['named: a8cd330fd8f2cad6'])
})

test('a whole text is judged by the name of its member', () => {
  assert.deepEqual(found('Zx81kqP0sm3KKe02mZbQ', 'api_key'), ['named: Zx81kqP0sm3KKe02mZbQ'])
  assert.deepEqual(found('Bearer Zx81kqP0sm3KKe02mZbQ', 'Authorization'), ['named: Zx81kqP0sm3KKe02mZbQ'])
  assert.deepEqual(found('correct horse 1', 'password'), ['named: correct horse 1'])
  assert.deepEqual(found('Zx81kqP0sm3KKe02mZbQ', 'sku'), [])
  assert.deepEqual(found('a sentence of 20 words', 'token'), [])
})

test('a token behind a name is found as the token that it is', () => {
  const { value } = planted(seeded(9), 'github')
  const spans = detectors.find(`token=${value}`)
  assert.deepEqual(spans.map(({ kind }) => kind).sort(), ['github', 'named'])
})
