import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalAuthority, canonicalTarget } from './target.ts'

const SAME = [
  '/',
  '/a',
  '/a/',
  '/a.b/..c/...',
  "/-_.~!$&'()*+,=:@",
  '/a;b=.c/d',
  '/a;',
  // The check `held-back route` decides which routes take these
  '/a/;b/c',
  '/a/%3Bb',
  '/%2C',
  '/%C3%A9',
  '/100%25',
  '/a%2520b',
]

const CHANGED: readonly (readonly [string, string])[] = [
  ['/%41%7a%30%2D', '/Az0-'],
  ['/a%2cb', '/a%2Cb'],
  ['/%c3%a9', '/%C3%A9'],
  ['/%7Euser', '/~user'],
  ['/a%2Eb', '/a.b'],
]

const REFUSED = [
  '', 'a', '*', '//', '/a//b', '/a//', '/.', '/..', '/./a', '/../a', '/a/..', '/a/.', '/a/../b', '/%2e', '/%2e%2E/a', '/.%2e',
  '/;', '/;a', '/;a/b', '/%3Ba/b', '/.;a', '/..%20;a', '/a;b//c', '/a/;b/../c', '/;a//b', '/..;/b', '/..%3Ba/b', '/a;/../b', '/a%2Fb', '/a%5cb', '/a%00', '/a%0a', '/a%7f', '/a\\b', '/a#b',
  '/a b', '/a\x7f', '/\xe9', '/a%', '/a%2', '/a%zz', '/%e9', '/%c0%af', '/%ed%a0%80', '/%f8', '/%252e', '/a%252Fb', '/%25252f', '/%255c',
  '/%253b', '/%2500', '/%25c0%25ae', '/a"b', '/a<b', '/a[b', '/a^b', '/a`b', '/a{b', '/a|b', '/a?b#c', '/a?b\\c', '/a?b c', '/a?\xe9',
] // biome-ignore format: a list

test('a plain path stays as it is', () => {
  for (const path of SAME) assert.deepEqual(canonicalTarget(path), { path, query: '' }, path)
})

test('unreserved characters are decoded once, other escapes get upper-case digits', () => {
  for (const [target, path] of CHANGED) assert.deepEqual(canonicalTarget(target), { path, query: '' }, target)
})

test('the query is kept as sent', () => {
  assert.deepEqual(canonicalTarget('/a?b=%2e&b=/../c?d'), { path: '/a', query: 'b=%2e&b=/../c?d' })
  assert.deepEqual(canonicalTarget('/a?'), { path: '/a', query: '' })
})

test('a target that two servers could read differently is refused', () => {
  for (const target of REFUSED) assert.equal(canonicalTarget(target), null, target)
})

test('a slash may be encoded below the path that says so, and makes no other segment there', () => {
  const read = (target: string): string | undefined => canonicalTarget(target, '/names')?.path
  assert.equal(read('/names/a%2fb/c%2Cd'), '/names/a%2Fb/c%2Cd')
  assert.equal(read('/name%73/a%2Fb'), undefined)
  for (const target of [
    ...[
      '/names%2Fa',
      '/other/a%2Fb',
      '/names/../a%2Fb',
      '/names/..%2Fb',
      '/names/a%2F..%2Fb',
      '/names/a%2F%2Fb',
    ],
    ...['/names/a%2F.', '/names/%2Fa', '/names/a%252Fb', '/names/a%5Cb', '/names/a%2F..;x'],
  ])
    assert.equal(read(target), undefined, target)
})

test('a canonical path is its own canonical form', () => {
  for (const [target] of [...CHANGED, ...SAME.map((path) => [path] as const)]) {
    const { path } = canonicalTarget(target)!
    assert.equal(canonicalTarget(path)?.path, path)
  }
})

test('an authority is a name or an address, and perhaps a port', () => {
  for (const authority of [
    'a',
    'a.b',
    'a-b.c:80',
    '127.0.0.1:65535',
    '[::1]',
    '[::1]:8080',
    'under_score',
    'a.',
  ])
    assert.equal(canonicalAuthority(authority), authority)
  assert.equal(canonicalAuthority('EXAMPLE.Com:80'), 'example.com:80')
  for (const authority of [
    '', ':80', 'a:', 'a:0', 'a:65536', 'a:99999', 'a:8x', 'a:1:2', 'a@b', 'a/b', 'a b', 'a,b', '.a', '-a', 'a..b', '[::1', '[::1]x', '::1',
    '[a]', '[::1%25eth0]', 'a%2e', 'a\\b', 'a?b', 'a#b', '\xe9', 'a\t',
  ]) assert.equal(canonicalAuthority(authority), null, authority) // biome-ignore format: a list
})
