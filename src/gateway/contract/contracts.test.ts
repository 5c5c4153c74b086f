import assert from 'node:assert/strict'
import { test } from 'node:test'
import { client, collection, delta, proxy } from '../../../test/gateway/fragments.ts'
import { Secret } from '../../base/crypto/token.ts'
import type { Contract, ContractsFragment } from '../../snapshot/fragments.ts'
import { applyDelta, EMPTY_SNAPSHOT } from '../../snapshot/link/link.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { compiledFor } from './contracts.ts'

const CONTRACT: Contract = {
  description: '',
  operation_id: null,
  parameters: [{ name: 'n', in: 'query', type: 'integer', required: true, description: '' }],
  request_types: [],
  request_required: true,
  request_schema: { type: 'object' },
  response_schema: { type: 'object' },
}

const contracts = (max: number): ContractsFragment => ({
  kind: 'contracts',
  id: 'col_orders',
  schemas: null,
  json: JSON.stringify({ prx_one: { ...CONTRACT, request_schema: { type: 'object', maxProperties: max } } }),
})

const open = (sealed: string): Secret => new Secret(sealed)

function compiledIn(snapshot: Snapshot, method: string) {
  const orders = snapshot.collections.get('col_orders')!
  return compiledFor(snapshot, orders, orders.proxies[0]!, method)
}

test('a contract is compiled once for each method, also over changes of all else, and anew when it changes', () => {
  const orders = collection('orders', { proxies: [proxy('one', '/one', { methods: ['PUT', 'POST'] })] })
  const before = applyDelta(EMPTY_SNAPSHOT, delta(1, [orders, contracts(1)], { full: true }), open)
  const compiled = compiledIn(before, 'PUT')!
  const response = compiled.response()
  assert.ok(compiled.parameters !== null && compiled.body !== null && response !== null)
  assert.equal(compiledIn(before, 'PUT'), compiled)
  assert.equal(compiled.response(), response)
  assert.notEqual(compiledIn(before, 'POST'), compiled)
  const later = applyDelta(before, delta(2, [client('acme'), { ...orders, name: 'Other' }]), open)
  assert.equal(compiledIn(later, 'PUT'), compiled)
  const changed = applyDelta(later, delta(3, [contracts(2)]), open)
  assert.notEqual(compiledIn(changed, 'PUT'), compiled)
})
