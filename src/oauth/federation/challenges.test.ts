import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseChallenges, resourceChallengeOf } from './metadata.ts'

const read = (field: string) =>
  parseChallenges(field).map(({ scheme, params }) => [scheme, Object.fromEntries(params)])

test('challenges are read as RFC 9110 writes them, several in one field too', () => {
  assert.deepEqual(read('Bearer'), [['bearer', {}]])
  assert.deepEqual(read('Bearer realm="a, b", scope="read \\"all\\""'), [
    ['bearer', { realm: 'a, b', scope: 'read "all"' }],
  ])
  assert.deepEqual(read('Negotiate dG9r==, Basic realm=x, Bearer Resource_Metadata = "https://a/"'), [
    ['negotiate', {}],
    ['basic', { realm: 'x' }],
    ['bearer', { resource_metadata: 'https://a/' }],
  ])
  assert.deepEqual(read(', ,Bearer a=1,,b="2" ,'), [['bearer', { a: '1', b: '2' }]])
  assert.deepEqual(read('Bearer a=1, A=2'), [['bearer', { a: '1' }]])
})

test('of malformed text the part before the fault counts', () => {
  assert.deepEqual(read('Bearer a=1, b="2'), [['bearer', { a: '1' }]])
  assert.deepEqual(read('a=1'), [])
  assert.deepEqual(read('Bearer a=1, "'), [['bearer', { a: '1' }]])
  assert.deepEqual(read(`Bearer a="${'x'.repeat(20_000)}"`), [])
})

test('the metadata and the scope are those of a challenge for tokens', () => {
  const field = 'Basic scope="no", Bearer scope="read write", DPoP resource_metadata="https://a/", scope="x"'
  assert.deepEqual(resourceChallengeOf(field), { metadata: 'https://a/', scope: 'read write', error: null })
  assert.deepEqual(resourceChallengeOf('Basic realm="x"'), { metadata: null, scope: null, error: null })
  assert.deepEqual(resourceChallengeOf(undefined), { metadata: null, scope: null, error: null })
})

const pieces = fc.constantFrom('Bearer', ' ', ',', '=', '"', '\\', 'a', 'scope', '\t', '/', 'é', '\n', 'x=y')

test('no text makes the reader fail or return what is not in the text', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(pieces).map((all) => all.join('')),
      ),
      (field) => {
        for (const { scheme, params } of parseChallenges(field)) {
          assert.ok(field.toLowerCase().includes(scheme))
          for (const [name, value] of params) {
            assert.ok(field.toLowerCase().includes(name))
            assert.ok(field.replaceAll('\\', '').includes(value.replaceAll('\\', '')))
          }
        }
      },
    ),
  )
})

const token = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,8}$/)

test('what is written as a challenge is read back', () => {
  const challenge = fc.tuple(
    token,
    fc.dictionary(
      token.map((one) => one.toLowerCase()),
      fc.string(),
      { noNullPrototype: true },
    ),
  )
  fc.assert(
    fc.property(fc.array(challenge), (all) => {
      const field = all
        .map(([scheme, params]) => {
          const listed = Object.entries(params).map(
            ([name, value]) => `${name}="${value.replaceAll(/["\\]/g, '\\$&')}"`,
          )
          return `${scheme} ${listed.join(', ')}`
        })
        .join(', ')
      fc.pre(field.length <= 16_384)
      assert.deepEqual(
        read(field),
        all.map(([scheme, params]) => [scheme.toLowerCase(), params]),
      )
    }),
  )
})
