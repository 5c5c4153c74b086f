import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startLegacyOrigin } from '../mcp/legacy.ts'
import { PEERS } from '../support/mcp-clients.ts'
import { publishOrders, startTestServer } from './server.ts'
import { startUpstream } from './upstream.ts'

test('an origin of HTTP+SSE is saved, shown with its transport, and called on two threads', async () => {
  await using upstream = await startUpstream()
  await using origin = await startLegacyOrigin({ transport: 'sse' })
  await using server = await startTestServer({ workers: 2 })
  const token = await publishOrders(server, upstream.url)
  for (const [path, body] of [
    ['/origins', { name: 'Old', slug: 'old', url: origin.url }],
    ['/virtual_mcps', { name: 'Desk', slug: 'desk', status: 'published', members: [{ origin: 'old' }] }],
  ] as const) {
    const made = await server.manage('POST', path, body)
    assert.equal(made.status, 201, made.text)
  }
  const tested = await server.manage('POST', '/origins/old/test', {})
  assert.match(tested.json.summary, /over HTTP\+SSE/)
  for (const { json } of [tested, await server.manage('GET', '/origins/old')])
    assert.equal(json.protocol.transport, 'http_sse', JSON.stringify(json))
  const catalog = await server.manage('GET', '/origins/old/catalog')
  assert.equal(catalog.json.protocol.transport, 'http_sse')
  await server.manage('PATCH', '/clients/acme', { virtual_mcps: ['desk'] })
  await Promise.all(
    Array.from({ length: 16 }, async (_, n) => {
      const peer = await PEERS['SDK v1']!(`${server.running.gatewayUrl}/mcp/desk`, {
        authorization: `Bearer ${token}`,
      })
      for (let m = 0; m < 4; m++)
        assert.equal((await peer.call('add', { a: n, b: m })).content[0]?.text, String(n + m))
      await peer.close()
    }),
  )
})
