import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compilePolicy } from '../../snapshot/compile/compile.ts'
import { linkPolicy } from '../../snapshot/link/small-kinds.ts'
import { PolicySpec } from './policy.ts'

const RATE = { name: 'l', kind: 'rate', max: 10, window: '1m' }
const QUOTA = { name: 'l', kind: 'quota', max: 10, window: '1d' }
const FLIGHT = { name: 'l', kind: 'concurrency', max: 10 }

function faults(limit: object): string[] {
  const parsed = PolicySpec.safeParse({ name: 'P', limits: [limit] })
  return parsed.success ? [] : parsed.error.issues.map((issue) => issue.path.slice(2).join('.'))
}

test('members that do not fit together are refused where they stand', () => {
  const cases: readonly (readonly [object, string])[] = [
    [{ ...RATE, window: undefined }, 'window'],
    [{ ...RATE, window: '25h' }, 'window'],
    [{ ...RATE, rolling: true }, 'rolling'],
    [{ ...RATE, wait: '1s' }, 'wait'],
    [{ ...RATE, cost: 11 }, 'cost'],
    [{ ...RATE, burst: 3, cost: 4 }, 'cost'],
    [{ ...RATE, timezone: 'UTC' }, 'timezone'],
    [{ ...QUOTA, window: '2d' }, 'window'],
    [{ ...QUOTA, window: '31d', rolling: true }, 'window'],
    [{ ...QUOTA, window: '30m', rolling: true }, 'window'],
    [{ ...QUOTA, burst: 3 }, 'burst'],
    [{ ...QUOTA, timezone: 'Mars/Olympus' }, 'timezone'],
    [{ ...QUOTA, timezone: '+01:00' }, 'timezone'],
    [{ ...QUOTA, timezone: 'Europe/Berlin', rolling: true }, 'timezone'],
    [{ ...FLIGHT, window: '1m' }, 'window'],
    [{ ...FLIGHT, wait: '1001ms' }, 'wait'],
    [{ ...FLIGHT, count: ['200-299'] }, 'count'],
    [{ ...RATE, count: ['299-200'] }, 'count.0'],
    [{ ...RATE, count: ['2xx'] }, 'count.0'],
    [{ ...RATE, key: 'person' }, 'key'],
    [{ ...RATE, key: 'header:Authorization' }, 'key'],
    [{ ...RATE, key: 'header:X-Forwarded-For' }, 'key'],
    [{ ...RATE, key: 'header:cookie' }, 'key'],
    [{ ...RATE, warn_at: 1.1 }, 'warn_at'],
    [{ ...RATE, mode: 'log' }, 'mode'],
    [{ ...RATE, kind: 'budget' }, 'kind'],
  ]
  for (const [limit, path] of cases) assert.deepEqual(faults(limit), [path], JSON.stringify(limit))
})

test('what the model admits compiles and links, and what is not set is not in the fragment', () => {
  const limits = [
    RATE,
    { ...RATE, name: 'a', burst: 20, cost: 2, key: 'header:X-Tenant' },
    { ...QUOTA, name: 'b', timezone: 'Europe/Berlin', count: ['200-299', '304'], mode: 'observe' },
    { ...QUOTA, name: 'c', window: '12h', rolling: true, key: 'claim:sub', warn_at: 0.5 },
    { ...FLIGHT, name: 'd', wait: '250ms', key: 'ip' },
    { ...QUOTA, name: 'e', key: 'global', timezone: 'UTC' },
  ]
  const short = { rate: { max: 1, interval: '5s' }, quota: { max: 2, interval: '90d' } }
  assert.equal(PolicySpec.safeParse({ name: 'P', ...short }).success, false)
  const spec = PolicySpec.parse({ name: 'P', limits, rate: short.rate, quota: { max: 2, interval: '36h' } })
  const fragment = compilePolicy({ id: 'pol_1', slug: 'p', spec })
  assert.deepEqual(fragment.limits[0], { name: 'l', kind: 'rate', max: 10, window_ms: 60_000 })
  assert.deepEqual(fragment.limits[2]!.count, [
    [200, 299],
    [304, 304],
  ])
  assert.deepEqual(
    linkPolicy(fragment).limits.map(({ algorithm, by, timezone }) => [algorithm, by, timezone]),
    [
      ['rate', 'attachment', null],
      ['bucket', 'header', null],
      ['quota', 'attachment', 'Europe/Berlin'],
      ['rolling', 'claim', null],
      ['concurrent', 'ip', null],
      ['quota', 'global', null],
      ['rate', 'attachment', null],
      ['rolling', 'attachment', null],
    ],
  )
})

test('a policy stored before there were such members compiles as it did', () => {
  const stored = {
    name: 'P',
    description: '',
    tags: [],
    limits: [{ name: 'day', kind: 'quota', max: 5, window: '1d' }],
    active: true,
  } as PolicySpec
  assert.deepEqual(compilePolicy({ id: 'pol_1', slug: 'p', spec: stored }), {
    kind: 'policy',
    id: 'pol_1',
    slug: 'p',
    active: true,
    limits: [{ name: 'day', kind: 'quota', max: 5, window_ms: 86_400_000 }],
  })
})
