import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  client,
  collection,
  credential,
  delta,
  policy,
  profile,
  proxy,
  rate,
  token,
} from '../../../test/gateway/fragments.ts'
import { Secret } from '../../base/crypto/token.ts'
import type { Opener } from '../../vault/vault.ts'
import { methodBit } from '../find/methods.ts'
import { FORM, type Fragment } from '../fragments.ts'
import type { Snapshot } from '../snapshot.ts'
import { applyDelta, EMPTY_SNAPSHOT, nextSnapshot } from './link.ts'

const open: Opener = (sealed) => {
  if (sealed === 'broken') throw new Error('cannot open')
  return new Secret(sealed)
}

function snapshotOf(...fragments: Fragment[]): Snapshot {
  return applyDelta(EMPTY_SNAPSHOT, delta(1, fragments, { full: true }), open)
}

function routeOf(snapshot: Snapshot, path: string, host = 'h'): string | null {
  const found = snapshot.mounts.find(path, host)
  if (found === null) return null
  return (
    found.routes.find(path.slice(found.fragment.base_path.length), methodBit('GET')).proxy?.id ?? found.id
  )
}

test('the longest base path wins, at a slash only, also where it has no route', () => {
  const snapshot = snapshotOf(
    collection('outer', { base_path: '/api', proxies: [proxy('all', '/*')] }),
    collection('inner', { base_path: '/api/v1/orders', proxies: [proxy('one', '/{id}')] }),
  )
  assert.equal(routeOf(snapshot, '/api/x'), 'prx_all')
  assert.equal(routeOf(snapshot, '/api/v1/orders/7'), 'prx_one')
  assert.equal(routeOf(snapshot, '/api/v1/ordersX/7'), 'prx_all')
  assert.equal(routeOf(snapshot, '/api/v1/orders/7/8'), 'col_inner')
  assert.equal(routeOf(snapshot, '/ap'), null)
  assert.equal(routeOf(snapshot, '/apix'), null)
  assert.equal(routeOf(snapshot, '/'), null)
})

test('a collection with hosts answers on these alone, and goes before one for all', () => {
  const snapshot = snapshotOf(
    collection('all', { base_path: '/x' }),
    collection('named', { base_path: '/x', hosts: ['a.example', '[::1]'] }),
    collection('below', { base_path: '/x/y', hosts: ['b.example'] }),
  )
  assert.equal(snapshot.mounts.find('/x/1', 'a.example:8080')?.id, 'col_named')
  assert.equal(snapshot.mounts.find('/x/1', '[::1]:8080')?.id, 'col_named')
  assert.equal(snapshot.mounts.find('/x/1', 'other')?.id, 'col_all')
  assert.equal(snapshot.mounts.find('/x/y/1', 'a.example')?.id, 'col_named')
  assert.equal(snapshot.mounts.find('/x/y/1', 'b.example')?.id, 'col_below')
})

test('a delta links what changed and keeps the rest, and the snapshot before it stays as it was', () => {
  const one = token('tok_1')
  const before = snapshotOf(
    collection('orders'),
    collection('other'),
    policy('p', [rate(1)]),
    client('acme', { profiles: [profile('a', { auth: 'token', tokens: [one.fragment] })] }),
  )
  const changed = client('acme', { slug: 'acme-new', profiles: [profile('a', { auth: 'token' })] })
  const after = applyDelta(
    before,
    delta(2, [collection('orders'), changed], { drop: ['collection:col_other'] }),
    open,
  )
  assert.equal(after.revision, 2)
  assert.equal(
    after.collections.get('col_orders'),
    before.collections.get('col_orders'),
    'same hash, not linked again',
  )
  assert.equal(after.policies, before.policies)
  assert.equal(after.collections.has('col_other'), false)
  assert.equal(after.mounts.find('/other/x', 'h'), null)
  assert.equal(after.tokens.get(one.fragment.lookup), undefined)
  assert.equal(after.clients.get('acme'), undefined)
  assert.equal(after.clients.get('acme-new')?.id, 'cli_acme')
  assert.equal(before.clients.get('acme')?.id, 'cli_acme')
  assert.equal(before.tokens.get(one.fragment.lookup)?.fragment.id, 'tok_1')
  assert.equal(before.mounts.find('/other/x', 'h')?.id, 'col_other')
})

test('a full delta forgets the rest but keeps what it holds with the same content', () => {
  const before = snapshotOf(collection('orders'), collection('other'))
  const after = applyDelta(before, delta(9, [collection('orders')], { full: true }), open)
  assert.equal(after.collections.get('col_orders'), before.collections.get('col_orders'))
  assert.equal(after.collections.size, 1)
})

test('two clients can change slugs with each other in one delta', () => {
  const before = snapshotOf(client('a'), client('b'))
  const after = applyDelta(before, delta(2, [client('a', { slug: 'b' }), client('b', { slug: 'a' })]), open)
  assert.equal(after.clients.get('a')?.id, 'cli_b')
  assert.equal(after.clients.get('b')?.id, 'cli_a')
})

test('a broken fragment is closed and named, and the others work', () => {
  const snapshot = snapshotOf(
    collection('outer', { base_path: '/x', proxies: [proxy('all', '/*')] }),
    collection('bad', { base_path: '/x/bad', proxies: [proxy('a', '/{id}'), proxy('b', '/{key}')] }),
    client('bad-client', { profiles: [profile('p', { ip_allowlist: ['nonsense'] })] }),
    policy('bad-policy', [rate(0)]),
    credential('bad-secret', 'bearer', {}, { token: 'broken' }),
    credential('bad-line', 'bearer', {}, { token: 'a\r\nX: b' }),
    { kind: 'unknown', id: 'x' } as unknown as Fragment,
  )
  assert.equal(snapshot.faults.length, 6)
  assert.ok(snapshot.faults.some((fault) => fault.startsWith('collection bad cannot be used: GET /x/bad')))
  assert.ok(!snapshot.faults.join().includes('X: b'), 'no secret in a fault')
  assert.notEqual(snapshot.mounts.find('/x/bad/1', 'h')?.fault, null)
  assert.equal(routeOf(snapshot, '/x/1'), 'prx_all')
  assert.equal(snapshot.clients.get('bad-client'), undefined)
  assert.equal(snapshot.policies.get('pol_bad-policy'), undefined)
  assert.equal(snapshot.credentials.get('crd_bad-secret'), undefined)
  const repaired = applyDelta(snapshot, delta(2, [policy('bad-policy', [rate(1)])]), open)
  assert.equal(repaired.faults.length, 5)
})

test('a thousand routes in a thousand base paths and in one are all found', () => {
  const many = Array.from({ length: 1000 }, (_, i) =>
    collection(`c${i}`, { base_path: `/api${i}/v1`, proxies: [proxy(`m${i}`, '/orders/{id}')] }),
  )
  const one = collection('one', {
    proxies: Array.from({ length: 1000 }, (_, i) => proxy(`o${i}`, `/r${i}/{id}/x`)),
  })
  const snapshot = snapshotOf(...many, one)
  assert.deepEqual(snapshot.faults, [])
  for (let i = 0; i < 1000; i++) {
    assert.equal(routeOf(snapshot, `/api${i}/v1/orders/7`), `prx_m${i}`)
    assert.equal(routeOf(snapshot, `/one/r${i}/7/x`), `prx_o${i}`)
  }
})

test('a fragment with a restriction of a later form is closed and named, and one of a known form works', () => {
  const whole = [
    collection('orders'),
    client('acme'),
    policy('gold', [rate(1)]),
    credential('c', 'bearer', {}, { token: 't' }),
  ] as const
  const known = snapshotOf(...whole.map((one) => ({ ...one, needs: FORM })))
  assert.deepEqual(known.faults, [])
  assert.equal(routeOf(known, '/orders/v1/orders/7'), 'prx_get-order')
  for (const needs of [FORM + 1, 1.5, Number.NaN, '1' as unknown as number]) {
    const later = snapshotOf(...whole.map((one) => ({ ...one, needs })))
    assert.equal(later.faults.length, whole.length, later.faults.join('; '))
    for (const fault of later.faults)
      assert.match(fault, /cannot be used: it was written by a newer Postern \(form /)
    // Its paths are refused, and do not belong to a collection with a shorter base path
    assert.notEqual(later.mounts.find('/orders/v1/orders/7', 'h')?.fault ?? null, null)
    assert.deepEqual([later.clients.size, later.policies.size, later.credentials.size], [0, 0, 0])
  }
  const [orders] = whole
  const mended = applyDelta(snapshotOf({ ...orders, needs: FORM + 1 }), delta(2, [orders]), open)
  assert.deepEqual(mended.faults, [])
})

test('a full delta in parts gives the snapshot of the whole delta, and shows nothing before it is finished', () => {
  const current = snapshotOf(client('acme'), client('old'))
  const { put, revision } = delta(2, [client('acme'), client('beta'), collection('orders')], { full: true })
  const next = nextSnapshot(current, true, open)
  for (const entry of put) next.take({ put: [entry], drop: [] })
  assert.equal(current.clients.has('beta'), false)
  const after = next.finish(revision)
  assert.deepEqual([...after.clients.keys()].sort(), ['acme', 'beta', 'cli_acme', 'cli_beta'])
  assert.equal(after.revision, 2)
  assert.ok(after.mounts.find('/orders/1', 'h') !== null)
  assert.equal(
    after.clients.get('acme'),
    current.clients.get('acme'),
    'what has the same hash is not linked again',
  )
})

test('clients with the same assignments and networks keep one set and one list of networks', () => {
  const networks = ['10.0.0.0/8', '192.0.2.1']
  const make = (slug: string, collections: readonly string[]) =>
    client(slug, { collections, profiles: [profile(slug, { ip_allowlist: networks })] })
  const snapshot = snapshotOf(
    make('a', ['col_1', 'col_2']),
    make('b', ['col_1', 'col_2']),
    make('c', ['col_1']),
  )
  const [a, b, c] = ['a', 'b', 'c'].map((slug) => snapshot.clients.get(slug)!)
  assert.equal(a!.collections, b!.collections)
  assert.deepEqual([...c!.collections], ['col_1'])
  const networksOf = (one: typeof a) => [...one!.profiles.values()][0]!.networks
  assert.equal(networksOf(a), networksOf(b))
})
