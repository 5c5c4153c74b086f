import assert from 'node:assert/strict'
import { test } from 'node:test'
import { publishOrders, startTestServer, until } from './server.ts'
import { startUpstream } from './upstream.ts'

for (const engine of ['native', 'node']) {
  test(`the worked example on the ${engine} engine: from an empty instance to a governed call, and a profile of type none beside it`, async () => {
    await using upstream = await startUpstream()
    await using server = await startTestServer({ flags: ['--http-engine', engine] })
    const token = await publishOrders(server, upstream.url)

    const answer = await server.gateway('GET', '/orders/v1/orders/7', { token })
    assert.equal(answer.status, 200)
    assert.equal(answer.json.url, '/v1/orders/7')
    assert.match(answer.headers.get('x-request-id') ?? '', /^req_[0-9a-z]{26}$/)
    assert.match(answer.headers.get('ratelimit') ?? '', /^"minute";r=999;t=\d+$/)
    assert.equal(
      upstream.seen[0]?.headers.authorization,
      undefined,
      'the credential of the caller stays here',
    )

    const open = await server.manage('POST', '/profiles', {
      client: 'acme',
      name: 'Open',
      slug: 'open',
      auth: { type: 'none' },
    })
    assert.equal(open.status, 201)
    const byIds = await server.gateway('GET', '/orders/v1/orders/7', {
      headers: { 'x-client-id': 'acme', 'x-profile-id': 'open' },
    })
    assert.equal(byIds.status, 200)

    const nobody = await server.gateway('GET', '/orders/v1/orders/7')
    assert.equal(nobody.status, 401)
    assert.equal(nobody.headers.get('content-type'), 'application/problem+json')
    assert.equal(nobody.json.code, 'credentials_missing')
  })
}

test('the limit refuses the next call with its name and the time to wait', async () => {
  await using upstream = await startUpstream()
  await using server = await startTestServer()
  const token = await publishOrders(server, upstream.url, { max: 3, window: '1m' })
  for (let i = 0; i < 3; i++)
    assert.equal((await server.gateway('GET', '/orders/v1/orders/7', { token })).status, 200)
  const refused = await server.gateway('GET', '/orders/v1/orders/7', { token })
  assert.equal(refused.status, 429)
  assert.equal(refused.json.code, 'rate_limit_exceeded')
  assert.equal(refused.json.policy, 'gold')
  assert.equal(refused.json.limit_name, 'minute')
  assert.ok(Number(refused.headers.get('retry-after')) >= 1)
  assert.equal(upstream.seen.length, 3)

  server.moveClock(62_000)
  assert.equal((await server.gateway('GET', '/orders/v1/orders/7', { token })).status, 200)
})

test('what happened is in the audit and in the records, with names, the environment, and without secrets', async () => {
  await using upstream = await startUpstream()
  await using server = await startTestServer({ flags: ['--env', 'staging'] })
  const token = await publishOrders(server, upstream.url)
  await server.gateway('GET', '/orders/v1/orders/7?card=4111', { token })

  const audit = await server.manage('GET', '/audit?resource_type=collection')
  assert.deepEqual(
    audit.json.items.map((entry: { operation: string }) => entry.operation),
    ['collections.publish', 'collections.create'],
  )
  assert.equal(audit.json.items[0].surface, 'management_api')
  assert.equal(audit.json.items[0].environment, 'staging')

  const records = await until(
    () => server.manage('GET', '/records?client=acme'),
    (reply) => reply.json.items.length === 1,
  )
  const [record] = records.json.items
  assert.equal(record.status, 200)
  assert.equal(record.path, '/orders/v1/orders/7')
  assert.equal(record.surface, 'gateway')
  assert.equal(record.environment, 'staging')
  assert.ok(!audit.text.includes(token) && !records.text.includes(token))
})
