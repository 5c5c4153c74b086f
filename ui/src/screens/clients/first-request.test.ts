import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callable, callerOf, curlOf } from './first-request.ts'

const profile = (type: string) => ({ client: 'acme', slug: 'live', auth: { type } })

test('a profile without authentication is named by ids', () => {
  const caller = callerOf(profile('none'))
  assert.deepEqual(caller.headers, [
    { name: 'X-Client-ID', value: 'acme' },
    { name: 'X-Profile-ID', value: 'live' },
  ])
})

test('a secret stands as a variable of the shell', () => {
  assert.equal(
    curlOf(callerOf(profile('token')), 'https://api.example.com/orders', false),
    'curl https://api.example.com/orders \\\n  -H "Authorization: Bearer $TOKEN"',
  )
})

test('a request names its method unless it is GET, and its URL is one word of the shell', () => {
  assert.equal(
    curlOf(callerOf(profile('none')), 'https://api.example.com/a(b)', false, 'POST').split(' \\')[0],
    "curl -X POST 'https://api.example.com/a(b)'",
  )
})

test('a profile with certificates has a certificate in the place of headers', () => {
  assert.equal(
    curlOf(callerOf(profile('mtls')), 'https://api.example.com', true),
    'curl https://api.example.com \\\n  --cert client.pem --key client.key',
  )
})

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
