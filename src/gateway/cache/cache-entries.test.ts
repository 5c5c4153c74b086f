import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ownedBytes } from '../../base/memory/bytes.ts'
import type { CacheFragment } from '../../snapshot/fragments.ts'
import type { LinkedProxy } from '../../snapshot/linked-types/collection.ts'
import type { LinkedCredential } from '../../snapshot/linked-types/credential.ts'
import { type KeptAnswer, toKept } from '../kept-answer.ts'
import { AnswerCache, type CacheEntry } from './cache-entries.ts'
import { directivesOf, isKnown, lifetimeOf, wishOf } from './cache-rules.ts'

const CACHE: CacheFragment = {
  ttl_ms: 60_000,
  vary: ['accept'],
  scope: 'profile',
  stale_if_error_ms: 5000,
}
// The cache compares proxies by identity alone.
const proxy = {} as LinkedProxy
const AS_NOW = { proxy, credential: null, guardrails: '' }

function entry(bytes: number, given: Partial<CacheEntry> = {}): CacheEntry {
  const times = { keptAt: 0, bornAt: 0, freshUntil: 10, staleUntil: 20 }
  return { status: 200, fields: '', body: ownedBytes(new Uint8Array(bytes)), ...AS_NOW, ...times, ...given }
}

test('an answer is fresh for no longer than the upstream says', () => {
  const life = (lines: string, status = 200, tellsOrigins = true) =>
    lifetimeOf(status, lines, CACHE, tellsOrigins, 0)
  assert.deepEqual(life(''), { freshMs: 60_000, staleMs: 5000, ageMs: 0 })
  assert.equal(life('Cache-Control: max-age=10\r\n')!.freshMs, 10_000)
  assert.equal(life('cache-control: max-age=10, S-MAXAGE="20"\r\n')!.freshMs, 20_000)
  assert.equal(life('cache-control: max-age=3600\r\nage: 10\r\n')!.freshMs, 50_000)
  assert.equal(life('cache-control: must-revalidate\r\n')!.staleMs, 0)
  assert.notEqual(life('vary: Accept, Origin\r\n'), null)
  assert.equal(life('vary: Accept, Origin\r\n', 200, false), null)
  for (const lines of [
    'cache-control: no-store\r\n',
    'cache-control: public\r\ncache-control: private="x"\r\n',
    'cache-control: no-cache\r\n',
    'cache-control: max-age=0\r\n',
    'age: 60\r\n',
    'set-cookie: a=b\r\n',
    'vary: *\r\n',
    'vary: accept\r\nvary: x-tenant\r\n',
  ])
    assert.equal(life(lines), null, lines)
  for (const status of [201, 204, 206, 302, 404, 500]) assert.equal(life('', status), null)
})

test('an answer that names a date is fresh until then, as its own clock counts, unless it names an age', () => {
  const now = Date.UTC(1994, 10, 6, 8, 49, 37)
  const at = (seconds: number): string => new Date(now + seconds * 1000).toUTCString()
  const fresh = (lines: string): number | undefined => lifetimeOf(200, lines, CACHE, true, now)?.freshMs
  assert.equal(fresh(`expires: ${at(20)}\r\n`), 20_000)
  assert.equal(fresh(`Date: ${at(-3600)}\r\nExpires: ${at(-3590)}\r\n`), 10_000)
  assert.equal(fresh(`date: ${at(0)}\r\nexpires: ${at(20)}\r\nage: 5\r\n`), 15_000)
  assert.equal(fresh(`date: no date\r\nexpires: ${at(20)}\r\n`), 20_000)
  assert.equal(fresh(`expires: ${at(86_400)}\r\n`), 60_000)
  assert.equal(fresh(`expires: Sun Nov  6 08:49:47 1994\r\n`), 10_000)
  for (const told of ['max-age=30', 's-maxage=30', 'max-age=30, max-age=50', 'max-age="30"'])
    for (const date of [at(20), at(-20), '0'])
      assert.equal(fresh(`cache-control: ${told}\r\nexpires: ${date}\r\n`), 30_000, `${told} ${date}`)
  assert.equal(fresh(`cache-control: max-age=99999999999999999999\r\n`), 60_000)
  for (const lines of [
    `expires: ${at(0)}\r\n`,
    `expires: ${at(-20)}\r\n`,
    'expires: 0\r\n',
    'expires: -1\r\n',
    'expires:\r\n',
    'expires: tomorrow\r\n',
    'expires: 2094-11-06T08:49:37Z\r\n',
    `expires: ${at(20)}\r\nexpires: ${at(20)}\r\n`,
    `date: ${at(30)}\r\nexpires: ${at(20)}\r\n`,
    'cache-control: max-age=soon\r\n',
    `cache-control: max-age\r\nexpires: ${at(20)}\r\n`,
    'cache-control: s-maxage=-1, max-age=30\r\n',
  ])
    assert.equal(fresh(lines), undefined, lines)
})

test('what a caller asks of caches is heard', () => {
  assert.equal(wishOf(''), 'any')
  assert.equal(wishOf('Cache-Control: No-Cache\r\n'), 'fresh')
  assert.equal(wishOf('cache-control: max-age=0\r\n'), 'fresh')
  assert.equal(wishOf('pragma: no-cache\r\n'), 'fresh')
  assert.equal(wishOf('cache-control: max-age=5\r\npragma: no-cache\r\n'), 'any')
  assert.equal(wishOf('x-cache-control: no-store\r\ncache-control: no-store\r\n'), 'none')
  assert.equal(directivesOf('cache-control: a, b=1 ,, c="2"\r\n').get('c'), '2')
})

test('entity tags are compared weakly, and dates where no tag is asked for', () => {
  const tagged = 'ETag: "b"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n'
  const known = (lines: string, fields = tagged): boolean => isKnown(lines, fields, 0)
  assert.equal(known('if-none-match: "a", W/"b"\r\n'), true)
  assert.equal(known('if-none-match: *\r\n'), true)
  assert.equal(known('if-none-match: "a"\r\n'), false)
  assert.equal(known('if-none-match: "a"\r\n', ''), false)
  assert.equal(known('if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT\r\n'), true)
  assert.equal(known('if-modified-since: Sun, 06 Nov 1994 08:49:36 GMT\r\n'), false)
  assert.equal(known('if-modified-since: today\r\n'), false)
  assert.equal(known('if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT\r\n', ''), false)
  // The tag alone decides where both are asked for
  assert.equal(known('if-none-match: "a"\r\nif-modified-since: Sun, 06 Nov 1994 08:49:37 GMT\r\n'), false)
  assert.equal(known(''), false)
})

test('a cache stays within its bytes and forgets what was unused for longest', () => {
  const cache = new AnswerCache(10_000)
  for (const key of ['a', 'b', 'c']) cache.put(key, entry(2500))
  assert.notEqual(cache.get('a', AS_NOW, 0), null)
  cache.put('d', entry(2500))
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((key) => cache.get(key, AS_NOW, 0) !== null),
    [true, false, true, true],
  )
  assert.ok(cache.bytes <= 10_000)
  cache.put('large', entry(20_000))
  assert.equal(cache.get('large', AS_NOW, 0), null)
})

test('an answer of an earlier configuration, or past its time, is gone', () => {
  const cache = new AnswerCache(10_000)
  cache.put('a', entry(10))
  assert.equal(cache.get('a', { ...AS_NOW, proxy: {} as LinkedProxy }, 0), null)
  assert.equal(cache.bytes, 0)
  cache.put('a', entry(10))
  assert.equal(cache.get('a', { ...AS_NOW, credential: {} as LinkedCredential }, 0), null)
  assert.equal(cache.bytes, 0)
  cache.put('a', entry(10))
  assert.equal(cache.get('a', { ...AS_NOW, guardrails: 'other' }, 0), null)
  assert.equal(cache.bytes, 0)
  cache.put('a', entry(10))
  assert.equal(cache.get('a', AS_NOW, 20), null)
  assert.equal(cache.bytes, 0)
})

const kept = (bytes: number): KeptAnswer =>
  toKept(200, 'date: x\r\nx-a: 1\r\nAge: 3\r\n', new Uint8Array(bytes))

test('an answer that was kept before the clock was set back is gone', () => {
  const cache = new AnswerCache(1000)
  cache.put('a', entry(10, { keptAt: 100_000, bornAt: 90_000, freshUntil: 110_000, staleUntil: 120_000 }))
  assert.notEqual(cache.get('a', AS_NOW, 99_500), null)
  assert.equal(cache.get('a', AS_NOW, 95_000), null)
  assert.equal(cache.bytes, 0)
})

test('what belongs to one answer is not kept', () => {
  assert.equal(kept(0).fields, 'x-a: 1\r\n')
})
