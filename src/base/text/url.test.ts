import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { z } from 'zod'
import { KeyUrl } from '../../model/access/profile.ts'
import { Cors } from '../../model/api/collection.ts'
import { UpstreamUrl } from '../../model/api/upstream.ts'
import { IssuerUrl, Origin, OriginList, VaultUrl } from '../../settings/values.ts'
import { urlTextFault, withQuery } from './url.ts'

/** Each is read as https://pay.example by a URL parser, or looks as if it were. */
const DISGUISED = [
  ...[
    'pay\u00ad.example',
    'p\u200bay.example',
    'pay\u2060.example',
    '\ufeffpay.example',
    'pay.ex\ufe0fample',
  ],
  ...[
    'pay。example',
    'ｐay.example',
    '𝓹ay.example',
    'PAY\u3000.example',
    'p\u0430y.example',
    'p%61y.example',
  ],
  ...['pay\u202e.example', 'pay\u2066.example', 'pa\u034fy.example', 'pay\u180e.example', 'pаy.example'],
].map((host) => `https://${host}`)
const MALFORMED = ['https:pay.example', 'https:/pay.example', 'https:\\\\pay.example', 'https:///pay.example']

test('a URL that would lead elsewhere than it reads is refused in every field that names a host', () => {
  const fields: readonly z.ZodType[] = [UpstreamUrl, KeyUrl, IssuerUrl, VaultUrl]
  for (const field of fields) {
    assert.equal(field.safeParse('https://pay.example').success, true)
    assert.equal(field.safeParse('https://xn--pay-9cd.example').success, true)
    assert.equal(field.safeParse('http://[::1]:8080').success, true)
    for (const text of [...DISGUISED, ...MALFORMED])
      assert.equal(field.safeParse(text).success, false, JSON.stringify(text))
  }
  // What operators set for their own server is kept as it is parsed, so an international name may stand there
  for (const field of [Origin, OriginList]) {
    assert.equal(field.safeParse('https://bücher.example').success, true)
    for (const host of ['pay\u00ad.example', 'p\u200bay.example', 'p%61y.example'])
      assert.equal(field.safeParse(`https://${host}`).success, false, JSON.stringify(host))
  }
  const hosts: readonly ((text: string) => boolean)[] = [
    (host) => Cors.safeParse({ origins: [`https://${host}`] }).success,
  ]
  for (const accepts of hosts) {
    assert.equal(accepts('pay.example'), true)
    for (const text of DISGUISED.filter((one) => !one.includes('%')))
      assert.equal(accepts(text.slice('https://'.length)), false, JSON.stringify(text))
  }
})

test('the refusal names the character and the way to write it', () => {
  const [issue] = UpstreamUrl.safeParse('https://pay\u200b.example').error?.issues ?? []
  assert.match(issue?.message ?? '', /U\+200B must be written in Punycode \(xn--\.\.\.\) in a host/)
  const [path] = KeyUrl.safeParse('https://id.example/schlüssel').error?.issues ?? []
  assert.match(path?.message ?? '', /U\+00FC .*%-encoded elsewhere/)
})

test('other URLs stay as they are', () => {
  for (const text of [
    ...[
      'http://127.0.0.1:9000/base',
      'http://[fd00::1]:8080',
      'https://api_internal.example',
      'HTTP://Pay.Example',
    ],
    ...[
      'https://id.example/realms/%C3%BC',
      'https://pay.example?x=1',
      'com.example.app:/callback',
      'spiffe://td/a',
    ],
  ])
    assert.equal(urlTextFault(text), null, text)
})

const CASES: readonly (readonly [string, string, string])[] = [
  ['a URL without a query', 'https://id.example/a', 'https://id.example/a?state=x+y'],
  ['a query', 'https://id.example/a?p=B2C_1', 'https://id.example/a?p=B2C_1&state=x+y'],
  [
    'bytes that forms write otherwise',
    'https://id.example/a?p=a%20b&flag&q=~!',
    'https://id.example/a?p=a%20b&flag&q=~!&state=x+y',
  ],
  [
    'a parameter of the same name',
    'https://id.example/a?state=evil&p=1&%73tate=evil',
    'https://id.example/a?p=1&state=x+y',
  ],
  ['an empty query', 'https://id.example/a?', 'https://id.example/a?state=x+y'],
]
for (const [what, url, expected] of CASES)
  test(`parameters stand behind ${what}`, () => {
    assert.equal(withQuery(url, { state: 'x y' }).href, expected)
  })
