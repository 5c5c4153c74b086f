import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { collection, proxy } from '../../../test/gateway/fragments.ts'
import type { HttpMethod } from '../../model/members.ts'
import { linkCollection } from '../link/collection.ts'
import { methodBit } from './methods.ts'
import { fillTarget } from './target.ts'

type Entry = readonly [slug: string, path: string, methods?: readonly HttpMethod[]]

function routesOf(entries: readonly Entry[]) {
  const proxies = entries.map(([slug, path, methods = ['GET']]) => proxy(slug, path, { methods }))
  const { routes } = linkCollection(collection('c', { proxies }))
  return (path: string, method = 'GET'): string | null => {
    const found = routes.find(path, methodBit(method))
    if (found.proxy !== null) return found.proxy.fragment.slug
    return found.others === null ? null : `405 ${found.others.map((other) => other.fragment.slug).join(' ')}`
  }
}

const ENTRIES: readonly Entry[] = [
  ['root', '/'],
  ['list', '/orders'],
  ['list-slash', '/orders/'],
  ['one', '/orders/{id}'],
  ['cancel', '/orders/{id}:cancel', ['POST']],
  ['recent', '/orders/recent'],
  ['item', '/orders/{id}/items/{item}'],
  ['version', '/v{major}.{minor}/x'],
  ['any-version', '/{version}/x'],
  ['head', '/heads', ['HEAD']],
  ['get-heads', '/heads', ['GET']],
  ['files', '/files/*', ['GET', 'PUT']],
  ['file', '/files/{name}.txt'],
  ['deep-literal', '/a/b/c'],
  ['deep-param', '/a/{x}/d'],
  ['deep-rest', '/a/*'],
  ['write', '/a/b/c', ['PUT']],
]

const EXPECTED: readonly (readonly [string, string | null, string?])[] = [
  ['', 'root'],
  ['/', 'root'],
  ['/orders', 'list'],
  ['/orders/', 'list-slash'],
  ['/orders/7', 'one'],
  ['/orders/7/', null],
  ['/orders/7:cancel', 'cancel', 'POST'],
  ['/orders/7:cancel', 'one'],
  ['/orders/7%3Acancel', 'cancel', 'POST'],
  ['/orders/a%40b%2Fc', 'one'],
  ['/orders/:cancel', '405 one', 'POST'],
  ['/orders/recent', 'recent'],
  ['/orders/7/items/8', 'item'],
  ['/orders//items/8', null],
  ['/v1.2/x', 'version'],
  ['/v1.2.3/x', 'version'],
  ['/v12/x', 'any-version'],
  ['/v./x', 'any-version'],
  ['/heads', 'head', 'HEAD'],
  ['/heads', 'get-heads'],
  ['/orders', 'list', 'HEAD'],
  ['/orders', '405 list', 'DELETE'],
  ['/files/', 'files'],
  ['/files', null],
  ['/files/a/b/', 'files'],
  ['/files/a.txt', 'file'],
  ['/files/a.txt', 'files', 'PUT'],
  ['/files/.txt', 'files'],
  ['/a/b/c', 'deep-literal'],
  ['/a/b/c', 'write', 'PUT'],
  ['/a/b/d', 'deep-param'],
  ['/a/b/e', 'deep-rest'],
  ['/a/b/c', '405 deep-literal write deep-rest', 'POST'],
  ['/Orders', null],
]

test('a literal goes before a parameter and a parameter before a wildcard, with the method and without', () => {
  const find = routesOf(ENTRIES)
  for (const [path, slug, method] of EXPECTED)
    assert.equal(find(path, method), slug, `${method ?? 'GET'} ${path}`)
})

test('what is found does not depend on the order of the proxies', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray([...ENTRIES], { minLength: ENTRIES.length }), (entries) => {
      const find = routesOf(entries)
      for (const [path, slug, method] of EXPECTED) assert.equal(find(path, method), slug, path)
    }),
    { numRuns: 50 },
  )
})

test('two proxies cannot claim one path and method, whatever their parameters are called', () => {
  assert.throws(
    () =>
      routesOf([
        ['a', '/x/{id}'],
        ['b', '/x/{key}'],
      ]),
    /GET .*claimed by a and b/,
  )
})

test('a path that a pattern makes of values is found again, with those values', () => {
  const name = fc.stringMatching(/^[A-Za-z0-9_~-]{1,8}$/)
  fc.assert(
    fc.property(name, name, name, (a, b, c) => {
      const { routes } = linkCollection(
        collection('c', {
          proxies: [proxy('p', '/x{a}.{b}/{c}', { target_path: '/{c}/{b}/{a}' }), proxy('q', '/{other}')],
        }),
      )
      const below = `/x${a}.${b}/${c}`
      const { proxy: found } = routes.find(below, methodBit('GET'))
      assert.equal(found?.fragment.slug, 'p')
      assert.deepEqual(found.target?.values(below), [a, b, c])
    }),
  )
})

/** The rules as regular expressions: slow, and written in another way. */
function judged(entries: readonly Entry[], path: string): string | null {
  const rank = (pattern: string): string =>
    pattern
      .slice(1)
      .split('/')
      .map((segment, index, all) => {
        if (segment === '*' && index === all.length - 1) return '3'
        if (!segment.includes('{')) return '0'
        const literal = segment.replaceAll(/\{\w+\}/g, '').length
        const parameters = segment.split('{').length - 1
        return `1${String(99 - literal)}${parameters}${segment.replaceAll(/\{\w+\}/g, '{}')}`
      })
      .join('/')
  const fitting = entries.filter(([, pattern]) => {
    const source = pattern
      .replace(/\/\*$/, '/<rest>')
      .replaceAll(/[.*+?^$()|[\]\\]/g, '\\$&')
      .replaceAll(/\{\w+\}/g, '[^/]+')
      .replace('<rest>', '.*')
    return new RegExp(`^${source}$`).test(path)
  })
  fitting.sort(([, a], [, b]) => {
    const [left, right] = [rank(a).split('/'), rank(b).split('/')]
    for (let i = 0; i < Math.min(left.length, right.length); i++)
      if (left[i] !== right[i]) return left[i]! < right[i]! ? -1 : 1
    return 0
  })
  return fitting[0]?.[0] ?? null
}

test('a needless escape is no way around a route, and values stay as they came', () => {
  const proxies = [
    proxy('verb', '/{id}:cancel', { target_path: '/cancel/{id}' }),
    proxy('me', '/@me'),
    proxy('star', '/x/%2A'),
    proxy('one', '/{id}', { target_path: '/one/{id}' }),
  ]
  const { routes } = linkCollection(collection('c', { proxies }))
  for (const [below, slug, target] of [
    ['/a%3Ab:cancel', 'verb', '/cancel/a%3Ab'],
    ['/7%3Acancel', 'verb', '/cancel/7'],
    ['/%40me', 'me', null],
    ['/x/*', 'star', null],
    ['/x%40y', 'one', '/one/x%40y'],
    ['/a%2Bb', 'one', '/one/a%2Bb'],
  ] as const) {
    const found = routes.find(below, methodBit('GET')).proxy!
    assert.equal(found.fragment.slug, slug, below)
    assert.equal(found.target && fillTarget(found.target, below), target)
  }
  assert.equal(routes.find('/x/y', methodBit('GET')).proxy, null)
})

test('what is found is what the rules say, for any patterns and paths', () => {
  const segment = fc.constantFrom('a', 'b', 'a:b', '{p}', '{p}:b', 'a{p}', 'a{p}b', '{p}a{q}')
  const pattern = fc
    .tuple(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.constantFrom('', '/', '/*'))
    .map(([segments, end]) => {
      let count = 0
      return `/${segments.join('/')}${end}`.replaceAll(/\{\w\}/g, () => `{p${count++}}`)
    })
  const shape = (text: string): string => text.replaceAll(/\{\w+\}/g, '{}')
  const patterns = fc.uniqueArray(pattern, { minLength: 1, maxLength: 12, selector: shape })
  const path = fc
    .array(fc.constantFrom('a', 'b', 'aa', 'ab', 'aab', 'a:b', 'aba', ''), { minLength: 1, maxLength: 5 })
    .map((segments) => `/${segments.join('/')}`)
  fc.assert(
    fc.property(patterns, fc.array(path, { minLength: 5, maxLength: 20 }), (given, paths) => {
      const entries = given.map((text, index): Entry => [`p${index}`, text])
      const find = routesOf(entries)
      for (const one of paths) assert.equal(find(one), judged(entries, one), `${one} in ${given.join(' ')}`)
    }),
    { numRuns: 500 },
  )
})
