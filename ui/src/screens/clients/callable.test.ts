import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callable } from './callable.ts'

test('an endpoint to begin with has no path parameters, and reading comes before writing', () => {
  const found = callable([
    { path: '/orders/{id}', methods: ['GET'] },
    { path: '/orders', methods: ['POST'] },
    { path: '/health', methods: ['POST', 'GET'] },
  ])
  assert.deepEqual(
    found.map(({ proxy, method }) => `${method} ${proxy.path}`),
    ['GET /health', 'POST /orders'],
  )
})
