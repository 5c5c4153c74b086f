import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Part } from '../../base/doors.ts'
import type { Incoming } from '../../wire/port.ts'
import { createRouter, LISTENERS } from './router.ts'

/** Which door answers a path on a listener. */
function doorOf(path: string, listener: number, expose: readonly Part[], method = 'GET'): string {
  let door = ''
  const route = createRouter({
    consumer_mcp: () => (door = 'consumer'),
    virtual_mcp: () => (door = 'virtual'),
    console_mcp: () => (door = 'tester'),
    control: () => (door = 'control'),
    health: () => (door = 'health'),
    metrics: () => (door = 'metrics'),
    toConsole: () => (door = 'to the console'),
    refuse: (_incoming, code) => (door = code),
    expose: new Set(expose),
  })
  // The router reads these alone.
  route({ path, listener, method } as Incoming)
  return door
}

test('the gateway listener hands out what is exposed, the control listener everything but /mcp', () => {
  const { gateway, control } = LISTENERS
  const all: readonly Part[] = ['management', 'oauth']
  for (const [path, open, closed, inside] of [
    ['/healthz', 'health', 'health', 'health'],
    ['/readyz', 'health', 'health', 'health'],
    ['/metrics', 'not_available', 'not_available', 'metrics'],
    ['/mcp', 'consumer', 'consumer', 'not_available'],
    ['/mcp/travel', 'virtual', 'virtual', 'not_available'],
    ['/management/v1/collections', 'control', 'not_available', 'control'],
    ['/management/mcp', 'control', 'not_available', 'control'],
    ['/api/v1/mcp', 'control', 'not_available', 'control'],
    ['/.well-known/oauth-protected-resource', 'control', 'not_available', 'control'],
    ['/mcp/', 'consumer', 'consumer', 'not_available'],
    ['/mcp/travel/', 'virtual', 'virtual', 'not_available'],
    ['/mcp/-/acme/main/', 'consumer', 'consumer', 'not_available'],
    ['/management/mcp/', 'control', 'not_available', 'control'],
    ['/connect', 'control', 'not_available', 'control'],
    ['/connect/github', 'control', 'not_available', 'control'],
    ['/mcp-registry/v0.1/servers', 'not_available', 'not_available', 'control'],
    ['/console', 'not_available', 'not_available', 'control'],
    ['/console/mcp', 'not_available', 'not_available', 'control'],
    ['/console/mcp/travel', 'not_available', 'not_available', 'tester'],
    ['/portal', 'not_available', 'not_available', 'not_available'],
    ['/orders/v1/orders', 'not_available', 'not_available', 'not_available'],
  ] as const) {
    assert.equal(doorOf(path, gateway, all), open, `${path} exposed`)
    assert.equal(doorOf(path, gateway, []), closed, `${path} not exposed`)
    assert.equal(doorOf(path, control, []), inside, `${path} on the control listener`)
  }
  assert.equal(doorOf('/management/v1/collections', gateway, ['oauth']), 'not_available')
  assert.equal(doorOf('/connect', gateway, ['oauth']), 'control')
  assert.equal(doorOf('/mcp-registry/v0.1/servers', gateway, ['registry']), 'control')
  assert.equal(doorOf('/connect', gateway, ['management']), 'not_available')
  assert.equal(doorOf('/console', gateway, ['console']), 'control')
  assert.equal(doorOf('/console/mcp/travel', gateway, ['console']), 'tester')
})

test('the root of the control listener leads a reader to the console, that of the gateway listener does not', () => {
  const { gateway, control } = LISTENERS
  assert.equal(doorOf('/', control, []), 'to the console')
  assert.equal(doorOf('/', control, [], 'HEAD'), 'to the console')
  assert.equal(doorOf('/', control, [], 'POST'), 'not_available')
  assert.equal(doorOf('/', gateway, ['console']), 'not_available')
})
