import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startOrders } from './orders.ts'

const GET_ORDER = '/proxies/get-order'
const ORDERS = '/collections/orders'

/** Changes that cannot be served, what they are refused with, and the member that is named. */
const REFUSED: readonly (readonly [path: string, change: object, status: number, pointer: string])[] = [
  [ORDERS, { policy: 'nobody-knows' }, 400, '/policy'],
  [GET_ORDER, { policy: 'nobody-knows' }, 400, '/policy'],
  ['/clients/acme', { policy: 'nobody-knows' }, 400, '/policy'],
  ['/profiles/sandbox', { policy: 'nobody-knows' }, 400, '/policy'],
  [ORDERS, { credential: 'nobody-knows' }, 400, '/credential'],
  ['/policies/gold', { limits: [{ name: 'minute', kind: 'moon', max: 1 }] }, 400, '/limits/0/kind'],
  ['/profiles/sandbox', { auth: { type: 'moon' } }, 400, '/auth/type'],
  [GET_ORDER, { kind: 'moon' }, 400, '/kind'],
  [GET_ORDER, { workflow: { nodes: [{ id: 'n', type: 'moon_node' }] } }, 422, '/workflow/nodes/0/type'],
  [ORDERS, { upstream: null }, 422, '/upstream'],
  [GET_ORDER, { path: '/v1/{id}/{id}' }, 400, '/path'],
  [GET_ORDER, { request_schema: { type: 'moon' } }, 422, '/request_schema'],
  [ORDERS, { description: 'a\0b' }, 400, '/description'],
  [ORDERS, { tags: ['ok', '\ud800'] }, 400, '/tags/1'],
]

test('what cannot be served, or names what is not there, is refused, and what was there goes on', async () => {
  await using orders = await startOrders({ workers: 2 })
  const { server, ask } = orders
  const policy = { name: 'Gold', limits: [{ name: 'minute', kind: 'rate', max: 900, window: '1m' }] }
  assert.equal((await server.manage('PATCH', '/policies/gold', policy)).status, 200)
  const revisionOf = async () => {
    const ready = await fetch(`${server.running.controlUrl}/readyz`)
    return ((await ready.json()) as { revision: number }).revision
  }
  const before = await revisionOf()
  assert.ok(before > 0)
  for (const [path, change, status, pointer] of REFUSED) {
    const what = `${path} ${JSON.stringify(change)}`
    const kept = await server.manage('GET', path)
    for (const isTrial of [true, false]) {
      const reply = await server.manage('PATCH', `${path}${isTrial ? '?dry_run=true' : ''}`, change)
      assert.equal(reply.status, status, `${what}: ${reply.text}`)
      const pointers = (reply.json.errors ?? []).map((one: { pointer: string }) => one.pointer)
      assert.ok(pointers.includes(pointer), `${what}: ${reply.text}`)
    }
    assert.equal((await server.manage('GET', path)).text, kept.text, what)
    const call = await ask('GET', '/v1/orders/7')
    assert.equal(call.status, 200, what)
    assert.match(call.headers.get('ratelimit-policy') ?? '', /q=900/, what)
  }
  const unreadable = await server.manage('GET', '/collections?search=a%00b')
  assert.deepEqual([unreadable.status, unreadable.json.errors[0].pointer], [400, '/search'])
  assert.equal(await revisionOf(), before)
})
