/** What two whole instances on one PostgreSQL share for a while: keys of requests, tokens used once, links. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { signedWith } from '../support/issuer.ts'
import { freshConnections } from '../support/moved-clock.ts'
import { onPostgres, tamperWithDatabase } from '../support/postgres-databases.ts'
import { installations } from './installation.ts'
import { killNow, startUp } from './process.ts'
import { call, created, publishOrders, type Reply, type TestServer, until } from './server.ts'
import { startUpstream } from './upstream.ts'

await onPostgres(({ server: postgres, create }) => {
  const installation = installations({ create })

  /** The worked example, whose orders can be made with an idempotency key. */
  async function publish(server: TestServer, upstream: { readonly url: string }): Promise<string> {
    const token = await publishOrders(server, upstream.url)
    const charge = { methods: ['POST'], path: '/v1/charges', idempotency: true }
    await created(
      server.manage('POST', '/proxies', {
        collection: 'orders',
        name: 'Charge',
        status: 'published',
        ...charge,
      }),
    )
    return token
  }

  const chargeAt = (gatewayUrl: string, token: string, key: string, amount = 1): Promise<Reply> =>
    call('POST', `${gatewayUrl}/orders/v1/charges`, {
      token,
      headers: { 'idempotency-key': key, connection: 'close' },
      body: { amount },
    })

  async function onceProfile(server: TestServer): Promise<(jti: string) => string> {
    const auth = { type: 'jwt', issuer: 'https://once.test', jti_replay: true }
    const profile = { client: 'acme', name: 'once', slug: 'once', auth }
    const { json } = await created(server.manage('POST', '/profiles', profile))
    const iat = Math.floor(Date.now() / 1000)
    return (jti) => signedWith(json.signing_secret, { iss: 'https://once.test', iat, exp: iat + 300, jti })
  }

  test('of many requests with one key at both nodes at once one reaches the upstream, and each node repeats its answer', async () => {
    await using upstream = await startUpstream()
    const { start } = await installation()
    await using a = await start('a')
    const token = await publish(a, upstream)
    await using b = await start('b')
    let charges = 0
    const answers: (() => void)[] = []
    upstream.answer = (_seen, response) => {
      charges++
      answers.push(() => response.writeHead(201, { 'content-type': 'application/json' }).end('{"charge":1}'))
    }
    const nodes = [a, b]
    const charge = (n: number): Promise<Reply> => chargeAt(nodes[n % 2]!.running.gatewayUrl, token, 'k1')
    const first = charge(0)
    await until(
      async () => answers.length,
      (length) => length === 1,
    )
    const others = await Promise.all(Array.from({ length: 12 }, (_, n) => charge(n)))
    for (const other of others)
      assert.deepEqual([other.status, other.json.code], [409, 'idempotency_conflict'])
    answers[0]!()
    assert.equal((await first).status, 201)
    for (const again of await Promise.all(Array.from({ length: 12 }, (_, n) => charge(n)))) {
      assert.deepEqual([again.status, again.text], [201, '{"charge":1}'])
      assert.equal(again.headers.get('idempotency-replayed'), 'true')
    }
    for (const { running } of nodes)
      assert.equal((await chargeAt(running.gatewayUrl, token, 'k1', 2)).status, 409)
    assert.equal(charges, 1)
    assert.deepEqual([a.faults(), b.faults()], [[], []])
  })

  test('the key of a request whose node is killed stays in use on the others, and says that nobody knows how far it came', async () => {
    await using upstream = await startUpstream()
    const { start, data, flags, address } = await installation()
    await using a = await start('a')
    const token = await publish(a, upstream)
    let count = 0
    upstream.answer = () => {
      count++
    }
    const up = await startUp(data('b'), flags('b'))
    const held = assert.rejects(chargeAt(up.gatewayUrl, token, 'held'))
    await until(
      async () => count,
      (made) => made === 1,
    )
    const busy = await chargeAt(a.running.gatewayUrl, token, 'held')
    assert.match(busy.json.detail, /still in progress/)
    await killNow(up)
    await held
    freshConnections()
    await using tamper = await tamperWithDatabase(address)
    await tamper.execute(
      "update shared_nodes set seen_at = clock_timestamp() - interval '11 seconds' where epoch = (select epoch from shared_keys)",
    )
    const cutOff = await chargeAt(a.running.gatewayUrl, token, 'held')
    assert.deepEqual([cutOff.status, cutOff.json.code, count], [409, 'idempotency_conflict', 1])
    assert.match(cutOff.json.detail, /^The gateway stopped during the first request with this key/)
  })

  test('a token that may be used once is let in by one node, once', async () => {
    await using upstream = await startUpstream()
    const { start } = await installation()
    await using a = await start('a')
    await publish(a, upstream)
    await using b = await start('b')
    const tokenOf = await onceProfile(a)
    const nodes = [a, b]
    for (const jti of ['one', 'two', 'three']) {
      const token = tokenOf(jti)
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, n) => nodes[n % 2]!.gateway('GET', '/orders/v1/orders/7', { token })),
      )
      assert.deepEqual(
        answers.map(({ status }) => status).toSorted(),
        [200, ...Array(9).fill(401)],
        answers.map(({ text }) => text).join('\n'),
      )
    }
  })

  test('a one-time link that one node made is opened at another one, once', async () => {
    await using upstream = await startUpstream()
    const { start } = await installation()
    await using a = await start('a')
    await publish(a, upstream)
    await using b = await start('b')
    const modifier = await a.running.issueToken({ role: 'modifier', ttl: '5m', name: 'agent of ann' })
    const body = { tool: 'rotate_profile_credentials', id: 'acme:sandbox', overlap: '1h' }
    const rotated = await a.gateway('POST', '/management/mcp', { token: modifier.token, body })
    const { pathname } = new URL(rotated.json.result.token_link)
    assert.match((await call('GET', `${b.running.controlUrl}${pathname}`)).text, /agent of ann/)
    const { text } = await call('POST', `${b.running.controlUrl}${pathname}`)
    const [token] = /pst_pk_\w+/.exec(text)!
    assert.equal((await a.gateway('GET', '/orders/v1/orders/7', { token: token! })).status, 200)
    for (const { running } of [a, b])
      assert.equal((await call('POST', `${running.controlUrl}${pathname}`)).status, 404)
  })

  test('an export that one node writes is downloaded at another one', async () => {
    const { start } = await installation()
    await using a = await start('a')
    await using b = await start('b')
    const made = await a.manage('POST', '/exports', { of: 'audit', format: 'ndjson' })
    assert.equal(made.status, 201, made.text)
    const path = `/exports/${made.json.id}`
    const ready = await until(
      () => b.manage('GET', path),
      ({ json }) => json.state === 'ready',
    )
    const file = await b.manage('GET', `${path}/download`)
    assert.equal(file.text.trimEnd().split('\n').length, ready.json.rows)
    assert.equal((await b.manage('POST', `${path}/cancel`, {})).json.state, 'expired')
    assert.equal((await a.manage('GET', `${path}/download`)).status, 404)
  })

  test('without the database, requests with a key and tokens used once get 503, links too, and all others are served; then all go on', async () => {
    await using upstream = await startUpstream()
    const { start } = await installation()
    await using a = await start('a')
    const token = await publish(a, upstream)
    const tokenOf = await onceProfile(a)
    const pay = (key: string) => chargeAt(a.running.gatewayUrl, token, key)
    const use = (jti: string) => a.gateway('GET', '/orders/v1/orders/7', { token: tokenOf(jti) })
    assert.deepEqual([(await pay('before')).status, (await use('before')).status], [200, 200])
    await postgres.stop()
    const refused = await pay('during')
    assert.deepEqual([refused.status, refused.json.code], [503, 'idempotency_unavailable'], refused.text)
    assert.equal((await use('before')).json.code, 'credential_invalid')
    assert.equal((await use('during')).json.code, 'identity_unavailable')
    assert.equal((await call('GET', `${a.running.controlUrl}/management/secrets/abc`)).status, 503)
    assert.equal((await a.gateway('GET', '/orders/v1/orders/7', { token })).status, 200)
    const ready = await until(
      () => call('GET', `${a.running.controlUrl}/readyz`),
      ({ json }) => json.stores.idempotency === 'unreachable',
    )
    assert.equal(ready.status, 200)
    await until(
      async () => a.log.filter((line) => line.includes('requests with an idempotency key get 503')).length,
      (told) => told === 1,
    )
    await postgres.start()
    const paid = await until(
      () => pay('during'),
      ({ status }) => status === 200,
    )
    assert.equal(paid.headers.get('idempotency-replayed'), null)
    assert.equal((await pay('before')).headers.get('idempotency-replayed'), 'true')
    assert.equal((await use('during')).status, 200)
    await until(
      () => call('GET', `${a.running.controlUrl}/readyz`),
      ({ json }) => json.stores.idempotency === null,
    )
  })
})
