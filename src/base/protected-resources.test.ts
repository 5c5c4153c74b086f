import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createProtectedResources } from './protected-resources.ts'

test('a resource is found by its path, its alias and any name of the loopback', () => {
  const { find, nameOf } = createProtectedResources(['http://localhost:8080'])
  for (const name of [
    'http://localhost:8080/management/mcp',
    'HTTP://LOCALHOST:8080/management/mcp/',
    'http://127.0.0.1:8080/api/v1/mcp',
    'http://[::1]:8080/management/mcp',
    'http://localhost:8080',
  ])
    assert.equal(find(name), 'mcp', name)
  assert.equal(find('http://localhost:8080/management/v1'), 'rest')
  assert.equal(nameOf('rest'), 'http://localhost:8080/management/v1')
})

test('a resource is known by every listed origin, and has one name', () => {
  const { find, nameOf, namesOf } = createProtectedResources(['https://gw.example', 'http://localhost:8081'])
  assert.equal(find('https://gw.example/management/mcp'), 'mcp')
  assert.equal(find('http://127.0.0.1:8081/management/mcp'), 'mcp')
  assert.equal(find('https://localhost:8081/management/mcp'), null)
  assert.equal(nameOf('mcp'), 'https://gw.example/management/mcp')
  assert.deepEqual(namesOf('rest'), [
    'https://gw.example/management/v1',
    'http://localhost:8081/management/v1',
  ])
})

test('each MCP endpoint of the gateway is a resource of its own', () => {
  const { find, nameOf } = createProtectedResources(['http://localhost:8080'])
  for (const path of ['/mcp', '/mcp/desk', '/mcp/-/acme/web'] as const) {
    assert.equal(find(`http://127.0.0.1:8080${path}/`), path)
    assert.equal(nameOf(path), `http://localhost:8080${path}`)
  }
})

test('what is of another origin, or has more than a path, is no resource', () => {
  const { find } = createProtectedResources(['https://gateway.example'])
  for (const name of [
    'https://gateway.example.evil/management/mcp',
    'http://gateway.example/management/mcp',
    'https://gateway.example:8443/management/mcp',
    'https://gateway.example/management/mcp?x=1',
    'https://gateway.example/management/mcp#x',
    'https://user@gateway.example/management/mcp',
    'https://gateway.example/mcp/Desk',
    'https://gateway.example/mcp/desk/tools',
    'https://gateway.example/mcp/-/acme',
    'https://gateway.example/mcp/%64esk',
    'https://gateway.example/orders',
    'http://127.0.0.1/management/mcp',
    'constructor',
    '',
  ])
    assert.equal(find(name), null, name)
})
