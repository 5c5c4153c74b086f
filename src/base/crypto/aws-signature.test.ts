import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { awsFault } from '../../../test/support/aws-service.ts'
import { canonicalTarget } from '../../wire/target.ts'
import { type AwsSigner, signAws } from './aws-signature.ts'
import { Secret } from './token.ts'

const NOTHING = new Uint8Array(0)
const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'

const signer = (more: Partial<AwsSigner> = {}): AwsSigner => ({
  accessKeyId: 'AKIDEXAMPLE',
  secret: new Secret(SECRET),
  region: 'us-east-1',
  service: 'service',
  signsPayload: true,
  ...more,
})

/** The facts of the published cases: what is asked for, and the signature. */
const GENERAL: readonly (readonly [string, string, string])[] = [
  ['GET', '/', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
  ['POST', '/', '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
  ['GET', '/?Param1=value1', 'a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb'],
  [
    'GET',
    '/?Param2=value2&Param1=value1',
    'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  ],
]

for (const [method, target, signature] of GENERAL)
  test(`${method} ${target} is signed as published`, () => {
    const request = {
      method,
      target,
      host: 'example.amazonaws.com',
      fields: 'Accept: */*\r\n',
      body: NOTHING,
    }
    assert.equal(
      signAws(signer(), request, Date.UTC(2015, 7, 30, 12, 36)),
      `X-Amz-Date: 20150830T123600Z\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=${signature}\r\n`,
    )
  })

const STORED = signer({
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secret: new Secret('wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'),
  service: 's3',
})

for (const [target, signature] of [
  ['/?lifecycle', 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543'],
  ['/?max-keys=2&prefix=J', '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7'],
] as const)
  test(`the storage service: GET ${target} is signed as published`, () => {
    const request = {
      method: 'GET',
      target,
      host: 'examplebucket.s3.amazonaws.com',
      fields: '',
      body: NOTHING,
    }
    const lines = signAws(STORED, request, Date.UTC(2013, 4, 24))
    assert.match(lines, /SignedHeaders=host;x-amz-content-sha256;x-amz-date, /)
    assert.match(lines, new RegExp(`Signature=${signature}\r\n$`))
  })

/** What a service finds wrong with a request that was signed at a time; null for nothing. */
function faultOf(one: AwsSigner, target: string, time: number): string | null {
  const request = { method: 'GET', target, host: 'a.example', fields: 'X-Amz-A: 1\r\n', body: NOTHING }
  const lines = `Host: a.example\r\n${request.fields}${signAws(one, request, time)}`
  const headers = Object.fromEntries(
    lines.split('\r\n').flatMap((line) => {
      const [name = '', value = ''] = line.split(/: (.*)/)
      return name === '' ? [] : [[name.toLowerCase(), value]]
    }),
  )
  return awsFault({ method: 'GET', url: target, headers, rawHeaders: [], body: '' }, SECRET)
}

test('each day has a key of its own, also when a signer signs for another day in between', () => {
  const one = signer()
  for (const time of [
    Date.UTC(2026, 0, 1),
    Date.UTC(2026, 0, 1, 23, 59, 59),
    Date.UTC(2026, 0, 2),
    Date.UTC(2026, 0, 1),
  ])
    assert.equal(faultOf(one, '/', time), null, new Date(time).toISOString())
})

test('any target that the gateway forwards is signed as a service reads it', () => {
  const characters = [..."abcXYZ019-._~!$&'()*+,;=:@/?", '%20', '%C3%A4', '%2B', '%25']
  const part = fc.array(fc.constantFrom(...characters), { maxLength: 12 }).map((pieces) => pieces.join(''))
  const target = fc.tuple(part, part).map(([path, query]) => `/${path.replaceAll('?', '')}?${query}`)
  fc.assert(
    fc.property(target, fc.constantFrom('s3', 'execute-api'), (text, service) => {
      const read = canonicalTarget(text)
      fc.pre(read !== null)
      const url = read.query === '' ? read.path : `${read.path}?${read.query}`
      assert.equal(faultOf(signer({ service }), url, 0), null)
    }),
    { numRuns: 1000 },
  )
})
