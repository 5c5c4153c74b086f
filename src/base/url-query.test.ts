import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withQuery } from './url-query.ts'

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
