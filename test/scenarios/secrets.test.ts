import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { runPostern } from './process.ts'
import { call, publishOrders, startTestServer, until } from './server.ts'
import { startUpstream } from './upstream.ts'

test('a planted secret reaches the upstream and nothing else: no read, log, audit entry, record, error or file', async () => {
  const planted = 'planted-S3cret-7f1e9c55a0'
  await using upstream = await startUpstream()
  await using server = await startTestServer()
  const partner = await publishOrders(server, upstream.url)
  const outputs: string[] = []
  const keep = <T extends { text: string }>(reply: T): T => {
    outputs.push(reply.text)
    return reply
  }

  const credential = keep(
    await server.manage('POST', '/credentials', {
      name: 'Backend',
      slug: 'backend',
      auth: { type: 'bearer', token: planted },
    }),
  )
  assert.equal(credential.status, 201)
  assert.equal(credential.json.auth.token.set, true)
  keep(await server.manage('PATCH', '/collections/orders', { credential: 'backend' }))
  const answer = await server.gateway('GET', '/orders/v1/orders/7', { token: partner })
  assert.equal(answer.status, 200)
  assert.equal(upstream.seen[0]?.headers.authorization, `Bearer ${planted}`)

  // Errors that could repeat their input, reads that could reveal, replays that could remember.
  keep(
    await server.manage('POST', '/credentials', {
      name: 'Broken',
      slug: '!!',
      auth: { type: 'bearer', token: planted, [planted.slice(0, 3)]: 1 },
    }),
  )
  keep(
    await server.manage('POST', '/credentials', {
      name: 'Broken',
      auth: { type: 'bearer', token: `${planted}\n` },
    }),
  )
  keep(
    await server.manage('PATCH', '/credentials/backend?dry_run=true', {
      auth: { type: 'basic', username: 'x', password: planted },
    }),
  )
  for (let i = 0; i < 2; i++)
    keep(
      await server.manage(
        'PUT',
        '/credentials/backend',
        { name: 'Backend', auth: { type: 'bearer', token: planted } },
        { headers: { 'idempotency-key': 'same' } },
      ),
    )
  upstream.answer = (_seen, response) => response.socket?.destroy()
  assert.equal(keep(await server.gateway('GET', '/orders/v1/orders/7', { token: partner })).status, 502)
  for (const path of [
    '/credentials',
    '/credentials/backend',
    '/collections/orders',
    '/audit?limit=200',
    '/profiles/sandbox',
    '/profiles/sandbox/state',
  ])
    keep(await server.manage('GET', path))
  keep(
    await until(
      () => server.manage('GET', '/records?limit=200'),
      (reply) => reply.json.items.length >= 2,
    ),
  )
  const tool = (name: string, args: object) =>
    call('POST', `${server.running.gatewayUrl}/management/mcp`, {
      token: server.adminToken,
      headers: { accept: 'application/json, text/event-stream' },
      body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } },
    })
  for (const [name, args] of [
    ['get_credential', { id: 'backend' }],
    ['manage_credentials', { action: 'list' }],
    ['list_audit_logs', {}],
  ] as const) {
    const reply = keep(await tool(name, args))
    assert.equal(reply.json.result.isError, false, reply.text)
  }
  for (const args of [
    ['credentials', 'get', 'backend', '-o', 'json'],
    ['credentials', 'list'],
    ['audit', 'list', '-o', 'yaml'],
  ]) {
    const finished = await runPostern([...args, '--data', server.data])
    assert.equal(finished.code, 0, finished.stderr)
    outputs.push(finished.stdout, finished.stderr)
  }
  await server.running.stop()

  const secrets = [planted, partner, server.adminToken]
  for (const secret of secrets) {
    for (const text of [...outputs, ...server.log])
      assert.ok(!text.includes(secret), `${secret.slice(0, 8)}… is in: ${text.slice(0, 300)}`)
    for (const name of readdirSync(server.data)) {
      if (!/\.(db|db-wal|log|json)$/.test(name)) continue
      assert.ok(
        !readFileSync(join(server.data, name)).includes(secret),
        `${secret.slice(0, 8)}… is in ${name}`,
      )
    }
  }
})
