import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toMessage } from './message.ts'

const paramsOf = (params: unknown, method = 'tools/list') => {
  const message = toMessage({ jsonrpc: '2.0', id: 1, method, params })
  return message.kind === 'request' ? message.params : message.kind
}

test('params that are null, and a cursor that is null, count as absent', () => {
  assert.deepEqual(paramsOf(null), {})
  assert.deepEqual(paramsOf({ cursor: null }), {})
  assert.deepEqual(paramsOf({ cursor: null, _meta: { a: null } }), { _meta: { a: null } })
  const said = toMessage({ jsonrpc: '2.0', method: 'notifications/initialized', params: null })
  assert.deepEqual(said, { kind: 'notification', method: 'notifications/initialized', params: {} })
})

test('a cursor of another type stays, and params of another type are refused', () => {
  assert.deepEqual(paramsOf({ cursor: 1 }), { cursor: 1 })
  for (const params of [[], 'x', 1, false]) assert.equal(paramsOf(params), 'invalid')
})

test('a null deeper in params stays', () => {
  const params = { name: 'open', arguments: { cursor: null } }
  assert.deepEqual(paramsOf(params, 'tools/call'), params)
})
