import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { collection, proxy } from '../../../test/gateway/fragments.ts'
import { HTTP_METHODS } from '../../model/http-names.ts'
import type { HttpMethod } from '../../model/members.ts'
import { linkCollection } from '../link/collection.ts'
import { methodBit } from './methods.ts'
import { comparePatterns, matchesPath, overlap, reasonFor, takesFrom } from './precedence.ts'

const pattern = fc
  .tuple(
    fc.array(fc.constantFrom('a', 'b', 'a:b', '{p}', '{p}:b', 'a{p}', 'a{p}b', '{p}a{q}'), {
      minLength: 1,
      maxLength: 4,
    }),
    fc.constantFrom('', '/', '/*'),
  )
  .map(([segments, end]) => {
    let count = 0
    return `/${segments.join('/')}${end}`.replaceAll(/\{\w\}/g, () => `{p${count++}}`)
  })
const path = fc
  .array(fc.constantFrom('a', 'b', 'aa', 'ab', 'aab', 'a:b', 'aba', 'a%3Ab', ''), {
    minLength: 1,
    maxLength: 5,
  })
  .map((segments) => `/${segments.join('/')}`)
const methods = fc.uniqueArray(fc.constantFrom<HttpMethod>('GET', 'POST', 'PUT'), { minLength: 1 })
const shape = (text: string): string => text.replaceAll(/\{\w+\}/g, '{}')

test('the index finds what the written order says, whatever order the routes were made in', () => {
  const routes = fc.uniqueArray(fc.tuple(pattern, methods), {
    minLength: 1,
    maxLength: 12,
    selector: ([text]) => shape(text),
  })
  fc.assert(
    fc.property(routes, fc.array(path, { minLength: 5, maxLength: 20 }), fc.gen(), (given, paths, choose) => {
      const proxies = given.map(([text, list], index) => proxy(`p${index}`, text, { methods: list }))
      const shuffled = [...proxies].sort(() => choose(fc.constantFrom, -1, 1))
      const linked = linkCollection(collection('c', { proxies: shuffled }))
      for (const one of paths) {
        const fitting = linked.proxies
          .filter(({ fragment }) => matchesPath(fragment.path, one))
          .sort((a, b) => comparePatterns(a.fragment.path, b.fragment.path))
        for (const method of HTTP_METHODS) {
          const bit = methodBit(method)
          const expected = fitting.find((each) => (each.methods & bit) !== 0)
          const found = linked.routes.find(one, bit)
          assert.equal(found.proxy?.id, expected?.id, `${method} ${one} in ${given.join(' ')}`)
          if (found.proxy === null) assert.equal(found.others === null, fitting.length === 0)
        }
      }
    }),
    { numRuns: 300 },
  )
})

test('the order of patterns that fit one path is total', () => {
  fc.assert(
    fc.property(pattern, pattern, pattern, path, (a, b, c, one) => {
      assert.equal(Math.sign(comparePatterns(a, b)), -Math.sign(comparePatterns(b, a)) || 0)
      if (![a, b, c].every((text) => matchesPath(text, one))) return
      if (comparePatterns(a, b) === 0) assert.equal(shape(a), shape(b))
      if (comparePatterns(a, b) <= 0 && comparePatterns(b, c) <= 0) assert.ok(comparePatterns(a, c) <= 0)
    }),
    { numRuns: 3000 },
  )
})

test('patterns that fit one path overlap', () => {
  fc.assert(
    fc.property(pattern, pattern, path, (a, b, one) => {
      if (matchesPath(a, one) && matchesPath(b, one)) assert.ok(overlap(a, b), `${a} ${b} ${one}`)
      assert.equal(overlap(a, b), overlap(b, a))
    }),
    { numRuns: 3000 },
  )
  assert.equal(overlap('/a/{x}', '/a/b'), true)
  assert.equal(overlap('/a/{x}', '/a/b/c'), false)
  assert.equal(overlap('/a/*', '/a'), false)
  assert.equal(overlap('/a/v{x}', '/a/{x}:cancel'), true)
  assert.equal(overlap('/a/v{x}', '/a/w{x}'), false)
})

test('the reason says what goes first and where', () => {
  assert.equal(
    reasonFor('/orders/recent', '/orders/{id}'),
    'its segment 2 is the literal "recent", which takes precedence over a parameter',
  )
  assert.equal(
    reasonFor('/orders/{id}:cancel', '/orders/{id}'),
    'its segment 2 is a parameter in "{}:cancel", which takes precedence over a parameter',
  )
  assert.equal(
    reasonFor('/files/{name}', '/files/*'),
    'its segment 2 is a parameter, which takes precedence over a wildcard',
  )
})

test('a collection takes requests from another whose base path it lies below, or by naming the host', () => {
  const at = (base_path: string, hosts: string[] = []) =>
    linkCollection(collection('c', { base_path, hosts, proxies: [] }))
  assert.equal(takesFrom(at('/api/v1'), at('/api')), true)
  assert.equal(takesFrom(at('/api'), at('/api/v1')), false)
  assert.equal(takesFrom(at('/apiv1'), at('/api')), false)
  assert.equal(takesFrom(at('/api', ['a.example']), at('/api')), true)
  assert.equal(takesFrom(at('/api/v1', ['a.example']), at('/api', ['b.example'])), false)
})
