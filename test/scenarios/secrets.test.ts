import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openTamper } from '../support/tamper.ts'
import { runPostern } from './process.ts'
import { call, publishOrders, startTestServer, until } from './server.ts'
import { startUpstream } from './upstream.ts'

const credentialOf = (token: string) => ({ name: 'Backend', auth: { type: 'bearer', token } })

const document = (token: string) => ({ kind: 'credential', slug: 'other', spec: credentialOf(token) })

const headerDocument = (secret: string) => ({
  kind: 'collection',
  slug: 'other',
  spec: { name: 'Other', base_path: '/other', headers: [{ name: 'X-Key', secret }] },
})

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

  // The same in a header, which is sent sealed with a new key of the vault too
  const header = { name: 'X-Backend-Key', secret: planted }
  const withHeader = keep(await server.manage('PATCH', '/collections/orders', { headers: [header] }))
  assert.equal(withHeader.json.headers[0].secret.set, true, withHeader.text)
  assert.equal(keep(await server.manage('POST', '/keys/rotate', {})).status, 200)
  assert.equal((await server.gateway('GET', '/orders/v1/orders/7', { token: partner })).status, 200)
  assert.equal(upstream.seen.at(-1)?.headers['x-backend-key'], planted)
  for (const headers of [
    [header, { ...header, value: planted }],
    [{ ...header, secret: `${planted}\n` }],
    [{ ...header, [planted.slice(0, 3)]: planted }],
  ])
    keep(await server.manage('PATCH', '/collections/orders', { headers }))
  keep(await server.manage('PATCH', '/proxies/get-order?dry_run=true', { headers: [header] }))

  // One that cannot be read closes the call, and only the record says why
  const unread = { name: 'X-Unread', secret: { env: 'SECRET_NOBODY' } }
  await server.manage('PATCH', '/collections/orders', { headers: [{ name: 'X-Backend-Key' }, unread] })
  const closed = keep(await server.gateway('GET', '/orders/v1/orders/7', { token: partner }))
  assert.deepEqual([closed.status, closed.json.code], [500, 'credential_unavailable'])
  assert.ok(!/SECRET_NOBODY|X-Unread/.test(closed.text))
  const why = await until(
    () => server.manage('GET', '/records?status=500'),
    (reply) => reply.json.items.length > 0,
  )
  assert.match(keep(why).text, /header X-Unread: the environment variable SECRET_NOBODY is not set/)
  const explained = keep(
    await server.manage(
      'GET',
      '/requests/explain?method=GET&target=/orders/v1/orders/7&profile=acme:sandbox',
    ),
  )
  assert.match(explained.text, /credential_unavailable/)
  await server.manage('PATCH', '/collections/orders', { headers: [{ name: 'X-Backend-Key' }] })

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
  const issued: string[] = []
  const { token: viewer } = await server.running.issueToken({ role: 'viewer', ttl: '5m', name: 'viewer' })
  for (const [path, body, once] of [
    ['/profiles/sandbox/rotate', {}, 'token'],
    ['/profiles', { client: 'acme', name: 'Signed', auth: { type: 'jwt' } }, 'signing_secret'],
    ['/service_identities', { name: 'CI', slug: 'ci' }],
    ['/service_identities/ci/issue_secret', {}, 'client_secret'],
    ['/users', { name: 'Ada', email: 'ada@example.com' }],
    ['/users/ada/invite', {}, 'set_up_url'],
    ['/credentials/backend/rotate', { auth: { token: planted }, untested: true }],
    ['/config/plan', { documents: [document(planted)] }],
    ['/config/apply', { documents: [JSON.stringify(document(planted))] }],
    ['/config/apply', { documents: [document(`\${var.TOKEN}`)], variables: { TOKEN: planted } }],
    ['/policies', { name: 'Why', reason: `asked with ${server.adminToken}` }],
    ['/config/plan', { documents: [headerDocument(planted)] }],
    ['/config/apply', { documents: [JSON.stringify(headerDocument(planted))] }],
    ['/collections/orders/duplicate', { base_path: '/copy' }],
  ] as const) {
    const reply = await server.manage('POST', path, body)
    assert.ok(reply.status < 300, `${path}: ${reply.text}`)
    if (once === undefined) keep(reply)
    else issued.push(String(reply.json[once]).replace(/.*=/, ''))
  }
  const made = await server.manage('POST', '/clients', {
    name: 'Beta',
    profiles: [{ name: 'Main', auth: { type: 'token' } }],
  })
  issued.push(made.json.profiles[0].token)
  for (const secret of issued) assert.match(secret, /^pst_/)
  // Refused: of a viewer, and in a place where it is none
  keep(await server.manage('PUT', '/credentials/backend', credentialOf(planted), { token: viewer }))
  keep(await server.manage('POST', '/credentials/backend/test', { subject_token: planted }))
  keep(await server.manage('POST', '/config/apply', { documents: [{ ...document(planted), kind: planted }] }))

  // What people write into the configuration in plain sight stands there, and not in the trail
  const literal = 'literal-S3cret-4c1d2e88b7'
  await server.manage('PATCH', '/collections/orders', { headers: [{ name: 'X-Api-Key', value: literal }] })
  await server.manage('POST', '/workflows', {
    name: 'Flow',
    definition: {
      nodes: [
        { id: 'a', type: 'http_call_node', inputs: { headers: { Authorization: `Bearer ${literal}` } } },
      ],
      edges: [],
    },
  })
  upstream.answer = (_seen, response) => response.socket?.destroy()
  assert.equal(keep(await server.gateway('GET', '/orders/v1/orders/7', { token: partner })).status, 502)
  for (const path of [
    '/credentials',
    '/credentials/backend',
    '/collections/orders',
    '/collections',
    '/revisions?limit=50',
    '/config/export',
    '/audit?limit=200&bodies=true',
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
    ['list_audit_logs', { bodies: true, limit: 20 }],
  ] as const) {
    const reply = keep(await tool(name, args))
    assert.equal(reply.json.result.isError, false, reply.text)
  }
  for (const args of [
    ['credentials', 'get', 'backend', '-o', 'json'],
    ['credentials', 'list'],
    ['audit', 'list', '--bodies', '-o', 'yaml'],
  ]) {
    const finished = await runPostern([...args, '--data', server.data])
    assert.equal(finished.code, 0, finished.stderr)
    outputs.push(finished.stdout, finished.stderr)
  }
  await server.running.stop()

  const tamper = await openTamper(server.data)
  const trail = await tamper.rows('select operation, outcome, entry, request, response from audit')
  await tamper[Symbol.asyncDispose]()
  const withRequest = new Set(
    trail.flatMap(({ operation, request }) => (request === null ? [] : [operation])),
  )
  for (const operation of [
    'credentials.rotate',
    'credentials.test',
    'config.apply',
    'users.invite',
    'workflows.create',
  ])
    assert.ok(withRequest.has(operation), operation)
  assert.ok(
    trail.some(({ outcome, request }) => outcome === 'denied' && String(request).includes('[secret]')),
  )
  assert.ok(!JSON.stringify(trail).includes(literal))

  const secrets = [planted, partner, server.adminToken, viewer, ...issued]
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
