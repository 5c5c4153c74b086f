import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type AccessRequest,
  accessSentence,
  askedFor,
  type ChangeRequest,
  changeSentence,
  placeOf,
} from './words.ts'

const CHANGE = {
  operation: 'proxies.update',
  resource: { type: 'proxy', id: 'prx_1', slug: 'get-order', parent: 'orders' },
  requester: { id: 'usr_1', type: 'user', name: 'ann' },
  decided_by: null,
  config_revision: null,
} as unknown as ChangeRequest

test('a change request says who asked for what, and what became of it', () => {
  const bob = { id: 'usr_2', name: 'bob' }
  const expected: [object, string][] = [
    [{ state: 'open' }, 'ann asked to update the proxy orders:get-order. Nothing has changed yet.'],
    [
      { state: 'applied', decided_by: bob, config_revision: 7 },
      'ann asked to update the proxy orders:get-order. bob approved it, which created revision 7.',
    ],
    [
      { state: 'approved', decided_by: bob },
      'ann asked to update the proxy orders:get-order. bob approved it. The change runs when ann repeats the call.',
    ],
    [
      { state: 'rejected', decided_by: bob },
      'ann asked to update the proxy orders:get-order. bob rejected it.',
    ],
    [
      { state: 'rejected', decided_by: CHANGE.requester },
      'ann asked to update the proxy orders:get-order and withdrew the request.',
    ],
    [
      { state: 'expired' },
      'ann asked to update the proxy orders:get-order. The request expired before a decision.',
    ],
  ]
  for (const [members, sentence] of expected)
    assert.equal(changeSentence({ ...CHANGE, ...members } as ChangeRequest), sentence)
  const whole = {
    operation: 'config.apply',
    resource: { type: 'config', id: null, slug: null, parent: null },
  }
  assert.equal(askedFor(whole), 'apply config')
  assert.equal(placeOf(whole), null)
  assert.deepEqual(placeOf(CHANGE), { resource: 'proxies', id: 'orders:get-order' })
  const policy = { type: 'policy', id: 'pol_1', slug: 'gold', parent: null }
  assert.deepEqual(placeOf({ operation: 'policies.update', resource: policy }), {
    resource: 'policies',
    id: 'gold',
  })
})

test('an access request names the client and the collections', () => {
  const request = { requester: 'kim', client: 'shop', collections: ['orders', 'stock'], decided_by: 'ann' }
  const of = (state: string) => accessSentence({ ...request, state } as unknown as AccessRequest)
  assert.equal(of('applied'), 'kim asked for access of the client shop to orders, stock. ann approved it.')
  assert.match(of('open'), /cannot call them through this request yet/)
})
