import assert from 'node:assert/strict'
import { createSecretKey, generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseStrictJson } from '../json/scan.ts'
import { isAlgorithm, keyFits, readJwk, verifyJws } from './jws.ts'
import { looksLikeJwt, readJwt } from './jwt.ts'

const part = (text: string): string => Buffer.from(text).toString('base64url')
/** RFC 7515 appendix A.1 and A.3: the same claims, signed twice. */
const CLAIMS =
  'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ'
const HS = `eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.${CLAIMS}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk`
const ES = `eyJhbGciOiJFUzI1NiJ9.${CLAIMS}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q`
const HS_KEY = createSecretKey(
  'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
  'base64url',
)
const ES_KEY = readJwk({
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
})

test('the examples of RFC 7515 and RFC 8037 verify, and not with the other key', () => {
  for (const [text, key, alg] of [
    [HS, HS_KEY, 'HS256'],
    [ES, ES_KEY.key, 'ES256'],
  ] as const) {
    const jwt = readJwt(text)
    assert.ok(typeof jwt !== 'string')
    assert.equal(jwt.issuer, 'joe')
    assert.equal(jwt.expires, 1_300_819_380)
    assert.equal(verifyJws(alg, key, jwt.signed, jwt.signature), true)
    assert.equal(verifyJws(alg, key === HS_KEY ? ES_KEY.key : HS_KEY, jwt.signed, jwt.signature), false)
    assert.equal(verifyJws('none', key, jwt.signed, jwt.signature), false)
  }
  const ed = readJwk({ kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' })
  const signature = Buffer.from(
    'hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg',
    'base64url',
  )
  const signed = 'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc'
  assert.equal(verifyJws('EdDSA', ed.key, signed, signature), true)
  // RFC 8037 appendix A.3
  assert.equal(ed.id, 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
})

test('an algorithm takes keys of its type and curve alone', () => {
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey
  const x25519 = generateKeyPairSync('x25519').publicKey
  const fits = (key: typeof p384): string[] =>
    ['HS256', 'RS256', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'none'].filter((alg) => keyFits(key, alg))
  assert.deepEqual(fits(p384), ['ES384'])
  assert.deepEqual(fits(x25519), [])
  assert.deepEqual(fits(HS_KEY), ['HS256'])
  for (const name of ['none', 'constructor', '__proto__', 'hs256']) assert.equal(isAlgorithm(name), false)
})

test('keys that are weak, private, secret or not for signatures are refused', () => {
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' })
  const even = { ...weak, n: Buffer.alloc(256, 0xff).toString('base64url'), e: 'Ag' }
  for (const jwk of [
    weak,
    even,
    { kty: 'oct', k: 'AAAA' },
    { kty: 'constructor' },
    { kty: 'EC', crv: 'P-256', x: 'AAAA', y: 'AAAA' },
    { kty: 'EC', crv: 'secp256k1', x: 'AAAA', y: 'AAAA' },
    { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo', use: 'enc' },
    { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo', alg: 'ES256' },
    { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo', kid: 7 },
    { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo', key_ops: ['sign'] },
  ])
    assert.throws(() => readJwk(jwk), RangeError, JSON.stringify(jwk))
})

test('no text makes the reader throw, and what it reads has one spelling', () => {
  const text = fc.oneof(
    fc.string(),
    fc
      .tuple(fc.json(), fc.json(), fc.uint8Array())
      .map(([head, body, tail]) => `${part(head)}.${part(body)}.${Buffer.from(tail).toString('base64url')}`),
    fc
      .tuple(
        fc.record(
          { alg: fc.constantFrom('HS256', 'none', 'ES256', 7), kid: fc.jsonValue() },
          { requiredKeys: [] },
        ),
        fc.dictionary(fc.constantFrom('iss', 'sub', 'aud', 'exp', 'nbf', 'iat', '__proto__'), fc.jsonValue()),
      )
      .map(([head, body]) => `${part(JSON.stringify(head))}.${part(JSON.stringify(body))}.AAAA`),
  )
  fc.assert(
    fc.property(text, (token) => {
      looksLikeJwt(token)
      const jwt = readJwt(token)
      if (typeof jwt === 'string') return
      assert.ok(isAlgorithm(jwt.alg))
      assert.equal(`${jwt.signed}.${Buffer.from(jwt.signature).toString('base64url')}`, token)
      assert.equal(typeof jwt.issuer, 'string')
    }),
    { numRuns: 3000 },
  )
})

test('no change of a signed token verifies', () => {
  fc.assert(
    fc.property(fc.nat(ES.length - 1), fc.integer({ min: 1, max: 127 }), fc.boolean(), (at, by, cut) => {
      const code = String.fromCharCode(ES.charCodeAt(at) ^ by)
      const jwt = readJwt(ES.slice(0, at) + (cut ? '' : code) + ES.slice(at + 1))
      if (typeof jwt === 'string') return
      assert.equal(verifyJws(jwt.alg, ES_KEY.key, jwt.signed, jwt.signature), false)
    }),
    { numRuns: 1500 },
  )
})

test('a claim beyond 2^53 is a text with all its digits, and as a time it is none', () => {
  const read = (claims: string) => readJwt(`${part('{"alg":"HS256"}')}.${part(claims)}.AAAA`)
  const jwt = read('{"org":{"id":9007199254740993},"exp":9007199254740991}')
  assert.ok(typeof jwt !== 'string')
  assert.deepEqual(jwt.claims, { org: { id: '9007199254740993' }, exp: 9007199254740991 })
  for (const time of ['9007199254740993', '1e400', '-1', '"1"'])
    assert.equal(read(`{"exp":${time}}`), 'exp is no time')
})

test('a member that is named twice is found wherever it stands, and other JSON reads as always', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      const text = JSON.stringify(value)
      assert.deepEqual(parseStrictJson(text, 16), JSON.parse(text))
      const twice = (name: string): string => `{"a":[${text},{"b":${text},${name}:1, ${name} :2}]}`
      assert.equal(parseStrictJson(twice('"c\\""'), 32), undefined)
    }),
    { numRuns: 500 },
  )
  assert.equal(parseStrictJson('{"a":1,"\\u0061":2}', 4), undefined)
  assert.deepEqual(parseStrictJson('{"a":{"a":"a"},"b":["a","a"]}', 4), { a: { a: 'a' }, b: ['a', 'a'] })
  assert.equal(parseStrictJson('[[[[[]]]]]', 4), undefined)
  assert.equal(parseStrictJson('{"a":1', 4), undefined)
})
