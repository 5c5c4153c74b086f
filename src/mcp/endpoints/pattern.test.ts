import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fillPattern, matchPath, moreSpecific, toPattern } from './parameter-text.ts'

const filled = (pattern: string, values: Record<string, string>) =>
  fillPattern(toPattern(pattern), new Map(Object.entries(values)))
const matched = (pattern: string, path: string) => {
  const values = matchPath(toPattern(pattern), path)
  return values === null ? null : Object.fromEntries(values)
}

test('patterns recognise concrete paths', () => {
  assert.deepEqual(matched('/orders/{id}', '/orders/7'), { id: '7' })
  assert.deepEqual(matched('/orders/{id}', '/orders/a%20b'), { id: 'a b' })
  assert.deepEqual(matched('/orders/{id}:cancel', '/orders/7:cancel'), { id: '7' })
  assert.deepEqual(matched('/v{major}.{minor}/x', '/v1.2/x'), { major: '1', minor: '2' })
  assert.deepEqual(matched('/files/*', '/files/a/b%20c'), { '*': 'a/b c' })
  assert.deepEqual(matched('/', '/'), {})
  for (const [pattern, path] of [
    ['/orders/{id}', '/orders'],
    ['/orders/{id}', '/orders/'],
    ['/orders/{id}', '/orders/7/lines'],
    ['/orders/{id}:cancel', '/orders/:cancel'],
    ['/orders', '/orders/'],
    ['/files/*', '/files/a%2fb'],
    ['/v{major}.{minor}', '/v1'],
  ] as const)
    assert.equal(matched(pattern, path), null, `${pattern} ${path}`)
})

test('literals say more than mixed segments, these more than parameters, these more than the rest', () => {
  const patterns = ['/a/*', '/a/{id}', '/a/{id}:go', '/a/b'].map(toPattern)
  const sorted = [...patterns].sort(moreSpecific)
  assert.deepEqual(sorted, [...patterns].reverse())
})

test('a filled path has the segments of its pattern, whatever the values are', () => {
  const value = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('.', '..', '/', '%2f', '%2e%2e', '', '?', '#'),
  )
  fc.assert(
    fc.property(value, value, (a, b) => {
      for (const pattern of ['/x/{a}/y/{b}', '/x/{a}:{b}', '/x{a}/{b}/']) {
        const answer = filled(pattern, { a, b })
        if (!answer.ok) continue
        assert.match(answer.path, /^\/[!-~]*$/)
        assert.doesNotMatch(answer.path, /[?#\\]|%2f|%5c|%00/i)
        const segments = answer.path.split('/')
        assert.equal(segments.length, pattern.split('/').length)
        assert.ok(segments.every((segment) => segment !== '.' && segment !== '..'))
        const back = matchPath(toPattern(pattern), answer.path)
        assert.ok(back !== null)
        assert.deepEqual(fillPattern(toPattern(pattern), back), answer)
      }
    }),
  )
})

test('matching arbitrary paths never throws', () => {
  fc.assert(fc.property(fc.string(), (path) => void matchPath(toPattern('/a/{b}.{c}/*'), `/a/${path}`)))
})
