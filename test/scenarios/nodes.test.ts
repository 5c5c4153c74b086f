/** Two whole instances on one PostgreSQL: both serve, and both take changes. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { lookAtValkey, placesOf } from '../../src/serve/places.ts'
import { examine } from '../../src/upkeep/doctor/doctor.ts'
import { openSession, openStream } from '../mcp/open-stream.ts'
import { eventually } from '../support/eventually.ts'
import { onPostgres, tamperWithDatabase } from '../support/postgres-databases.ts'
import { addressOf } from '../support/test-database.ts'
import { installations } from './installation.ts'
import { created, publishOrders, startTestServer, type TestServer, until } from './server.ts'
import { startUpstream } from './upstream.ts'

await onPostgres(({ server: postgres, create }) => {
  const installation = installations({ create })

  const get = (server: TestServer, token: string) => server.gateway('GET', '/orders/v1/orders/7', { token })

  const nodesOf = async (server: TestServer) => (await server.manage('GET', '/nodes')).json.items

  test('nodes that start at the same time on an empty database are one installation, with one trail', async () => {
    const { start, data } = await installation()
    mkdirSync(data('a'), { mode: 0o700 })
    writeFileSync(join(data('a'), 'vault.key'), `k1 ${randomBytes(32).toString('base64')}\n`, { mode: 0o600 })
    await using ends = new AsyncDisposableStack()
    const all = await Promise.all(
      ['a', 'b', 'c'].map(async (name) => {
        const server = await start(name)
        ends.defer(() => server.stop())
        return server
      }),
    )
    for (const [index, server] of all.entries())
      await until(
        () => server.manage('POST', '/policies', { name: `Policy ${index}` }),
        ({ status }) => status === 201,
      )
    for (const server of all) {
      const nodes = await nodesOf(server)
      assert.equal(nodes.length, 3)
      assert.equal((await server.manage('GET', '/policies')).json.items.length, 3)
      const verified = await server.manage('GET', '/audit/verify')
      assert.equal(verified.json.ok, true, verified.text)
      assert.deepEqual(server.faults(), [])
    }
  })

  test('a node with a new data directory says that it is new, and one whose mark was deleted warns', async () => {
    const { start, data } = await installation()
    const said = ({ log }: TestServer) => log.filter((line) => line.includes('audit trail: '))
    const entries = async (server: TestServer) =>
      (await server.manage('GET', '/audit?operation=audit.mark')).json.items as { detail: string }[]
    await using a = await start('a')
    assert.deepEqual(said(a), [])
    {
      await using b = await start('b')
      assert.match(
        said(b).join('\n'),
        /^info audit trail: This node is new to the database: the trail was verified, and the mark of the node begins at number \d+/,
      )
      assert.match((await entries(b))[0]!.detail, /^This node is new to the database/)
    }
    for (const files of [['audit.mark'], ['audit.mark', 'serving.db']]) {
      for (const file of files) rmSync(join(data('b'), file))
      await using b = await start('b')
      assert.match(said(b).join('\n'), /^warn audit trail: The mark was missing: a new mark begins/)
    }
    assert.equal((await entries(a)).length, 3)
  })

  test('a change through either node is in force on both when it has answered', async () => {
    await using upstream = await startUpstream()
    const { start } = await installation()
    await using a = await start('a')
    const token = await publishOrders(a, upstream.url)
    await using b = await start('b')
    assert.equal((await get(b, token)).status, 200)
    // On a busy machine a node may take longer than a change waits: then the answer names it, and the same change names it again
    const change = (server: TestServer, path: string, body: object) =>
      until(
        () => server.manage('POST', path, body),
        ({ status, json }) => status === 200 && json.pending !== true,
      )
    for (let round = 0; round < 3; round++) {
      const [one, other] = round % 2 === 0 ? [a, b] : [b, a]
      await change(one, '/clients/acme/toggle', { active: false })
      assert.equal((await get(other, token)).status, 403)
      await change(other, '/clients/acme/toggle', { active: true })
      assert.equal((await get(one, token)).status, 200)
    }
    await change(b, '/profiles/sandbox/revoke', {})
    assert.equal((await get(a, token)).status, 401)
    assert.deepEqual([a.faults(), b.faults()], [[], []])
  })

  test('changes through both nodes at the same time give revisions without gaps, and one audit trail', async () => {
    const { start } = await installation()
    await using a = await start('a')
    await using b = await start('b')
    const before = (await nodesOf(a))[0].revision
    const made = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        (index % 2 === 0 ? a : b).manage('POST', '/policies', { name: `P ${index}`, slug: `p-${index}` }),
      ),
    )
    assert.deepEqual([...new Set(made.map(({ status }) => status))], [201])
    const { items } = await until(
      () => b.manage('GET', '/nodes'),
      ({ json }) => json.items.every((node: { revision: number }) => node.revision === before + 40),
    ).then(({ json }) => json)
    assert.deepEqual(
      items.map((node: { state: string; pending_revision: number | null }) => [
        node.state,
        node.pending_revision,
      ]),
      [
        ['ready', null],
        ['ready', null],
      ],
    )
    for (const server of [a, b]) {
      assert.equal((await server.manage('GET', '/policies?limit=100')).json.items.length, 40)
      const verified = await server.manage('GET', '/audit/verify')
      assert.equal(verified.json.ok, true, verified.text)
    }
  })

  test('nodes are listed, drained and removed, and a change names the node that has not acknowledged it', async () => {
    const { start, address } = await installation()
    await using a = await start('a')
    await using b = await start('b')
    const nodes = await nodesOf(a)
    assert.equal(nodes.length, 2)
    const other = nodes.find((node: { answers: boolean }) => !node.answers)
    const own = nodes.find((node: { answers: boolean }) => node.answers)
    assert.equal((await a.manage('GET', `/nodes/${other.id}`)).json.name, other.name)
    assert.equal((await a.manage('GET', '/nodes/none')).json.code, 'not_found')
    const foretold = await a.manage('POST', `/nodes/${other.id}/drain?dry_run=true`, {})
    assert.equal(foretold.json.result?.state, 'draining', foretold.text)
    assert.equal((await fetch(`${b.running.controlUrl}/readyz`)).status, 200)
    assert.equal((await a.manage('POST', `/nodes/${other.id}/drain`, {})).json.state, 'draining')
    await eventually(async () => (await fetch(`${b.running.controlUrl}/readyz`)).status === 503)
    assert.equal(
      (await a.manage('POST', `/nodes/${other.id}/drain`, { draining: false })).json.state,
      'ready',
    )
    await eventually(async () => (await fetch(`${b.running.controlUrl}/readyz`)).status === 200)
    const alive = await a.manage('POST', `/nodes/${other.id}/remove`, {})
    assert.equal(alive.json.code, 'in_use', alive.text)
    await b.stop()
    assert.deepEqual(
      (await nodesOf(a)).map(({ id }: { id: string }) => id),
      [own.id],
    )
    // As one that was killed a while ago
    {
      await using tamper = await tamperWithDatabase(address)
      await tamper.execute(
        `insert into shared_nodes (id, epoch, name, place, facts, revision, ended, is_draining, counted, seen_at, joined_at)
         select 'lost', 1, 'lost.example:8080', 'there', facts, 1, 0, false, '[]', now() - interval '1 minute', now() from shared_nodes`,
      )
    }
    await eventually(async () => (await nodesOf(a)).length === 2)
    let tries = 0
    const late = await until(
      () => a.manage('POST', '/policies', { name: `Late ${tries++}` }),
      ({ json }) => json.pending === true,
    )
    assert.deepEqual(late.json.pending_nodes, ['lost.example:8080'])
    // A change that is repeated until it is not pending: with its key, and as one that finds nothing to change
    const off = { active: false }
    const headers = { 'idempotency-key': '"off"' }
    const toggled = () => a.manage('POST', `/policies/${late.json.id}/toggle`, off, { headers })
    const again = () => a.manage('POST', `/policies/${late.json.id}/toggle`, off)
    for (const { status, json } of [await toggled(), await toggled(), await again()])
      assert.deepEqual([status, json.active, json.pending_nodes], [200, false, ['lost.example:8080']])
    const removed = await a.manage('POST', '/nodes/lost/remove', {})
    assert.equal(removed.status, 200, removed.text)
    const last = await a.manage('POST', '/policies', { name: 'Last' })
    for (const { json } of [last, await toggled(), await again()])
      assert.deepEqual([json.pending, json.pending_nodes], [undefined, undefined])
    const trail = await a.manage('GET', '/audit?limit=50')
    for (const operation of ['nodes.drain', 'nodes.remove'])
      assert.ok(
        trail.json.items.some((entry: { operation: string }) => entry.operation === operation),
        operation,
      )
  })

  test('a removed node that is alive does not enter again after a rotation of the keys, and stops', async () => {
    const { start, address, data } = await installation()
    await using a = await start('a')
    await using b = await start('b')
    const other = (await nodesOf(a)).find((node: { answers: boolean }) => !node.answers)
    await using tamper = await tamperWithDatabase(address)
    // It enters again every two seconds, and must not do so between the two
    await until(
      async () => {
        await tamper.execute('delete from shared_nodes where id = ?', other.id)
        return a.manage('POST', '/keys/rotate', {})
      },
      ({ status }) => status === 200,
    )
    assert.match(
      await b.running.excluded,
      new RegExp(`^The keys were rotated .* Copy the key file .* to ${data('a')}/vault.key, and start again`),
    )
    assert.equal((await nodesOf(a)).length, 1)
    const made = await a.manage('POST', '/policies', { name: 'Gold' })
    assert.deepEqual([made.status, made.json.pending], [201, undefined])
    await b.stop()
    await using again = await start('b')
    assert.equal((await nodesOf(again)).length, 2)
  })

  test('while the database is down both nodes serve and refuse changes, and both go on by themselves', async () => {
    await using upstream = await startUpstream()
    const { start } = await installation()
    await using a = await start('a')
    const token = await publishOrders(a, upstream.url)
    await using b = await start('b')
    await postgres.stop()
    for (const server of [a, b]) {
      assert.equal((await get(server, token)).status, 200)
      assert.equal((await server.manage('POST', '/policies', { name: 'Silver' })).status, 503)
    }
    await postgres.start()
    for (const [index, server] of [a, b].entries())
      await until(
        () => server.manage('POST', '/policies', { name: `Silver ${index}` }),
        ({ status }) => status === 201,
      )
    const off = await until(
      () => b.manage('POST', '/clients/acme/toggle', { active: false }),
      ({ status, json }) => status === 200 && json.pending !== true,
    )
    assert.equal(off.status, 200)
    assert.equal((await get(a, token)).status, 403)
  })

  test('a session of an agent goes on at either node, and its end and its cancelled calls hold at both', async () => {
    await using upstream = await startUpstream()
    const { start } = await installation()
    await using a = await start('a')
    const token = await publishOrders(a, upstream.url)
    await using b = await start('b')
    const send = (server: TestServer, body: object, session?: string) =>
      server.gateway('POST', '/mcp', {
        token,
        body: { jsonrpc: '2.0', ...body },
        headers: {
          accept: 'application/json, text/event-stream',
          ...(session === undefined ? {} : { 'mcp-session-id': session }),
        },
      })
    const opened = await send(a, {
      id: 1,
      method: 'initialize',
      params: {
        protocolVersion: '2025-11-25',
        capabilities: {},
        clientInfo: { name: 'x', version: '1' },
      },
    })
    const session = opened.headers.get('mcp-session-id')!
    assert.equal((await send(b, { id: 2, method: 'ping' }, session)).status, 200)
    const open = new Set<string>()
    upstream.answer = (seen, response) => {
      open.add(seen.url)
      response.on('close', () => open.delete(seen.url))
    }
    const call = send(
      a,
      {
        id: 3,
        method: 'tools/call',
        params: { name: 'execute_call', arguments: { endpoint: 'GET /orders/v1/orders/7' } },
      },
      session,
    )
    await eventually(() => open.size === 1)
    const cancelled = { method: 'notifications/cancelled', params: { requestId: 3 } }
    assert.equal((await send(b, cancelled, session)).status, 202)
    await eventually(() => open.size === 0)
    assert.equal((await call).status, 202)
    const ended = await b.gateway('DELETE', '/mcp', { token, headers: { 'mcp-session-id': session } })
    assert.equal(ended.status, 204)
    await until(
      () => send(a, { id: 4, method: 'ping' }, session),
      ({ status }) => status === 404,
    )
  })

  test('the stream of a session ends at either node when the session ends at the other', async () => {
    await using upstream = await startUpstream()
    const { start } = await installation()
    await using a = await start('a')
    const token = await publishOrders(a, upstream.url)
    await created(a.manage('POST', '/origins', { name: 'Orders', kind: 'collection', collection: 'orders' }))
    const desk = { name: 'Desk', members: [{ origin: 'orders' }], status: 'published' }
    await created(a.manage('POST', '/virtual_mcps', desk))
    const given = await a.manage('PATCH', '/clients/acme', { virtual_mcps: ['desk'] })
    assert.equal(given.status, 200, given.text)
    await using b = await start('b')
    const endpointOf = ({ running }: TestServer) => ({
      url: `${running.gatewayUrl}/mcp/desk`,
      headers: { authorization: `Bearer ${token}` },
    })
    const session = await openSession(endpointOf(a))
    await using here = await openStream(endpointOf(a), 'GET', session)
    await using there = await openStream(endpointOf(b), 'GET', session)
    assert.deepEqual([here.status, there.status], [200, 200])
    await using ended = await openStream(endpointOf(a), 'DELETE', session)
    assert.equal(ended.status, 204)
    await eventually(() => here.isEnded() && there.isEnded())
    assert.deepEqual([a.faults(), b.faults()], [[], []])
  })

  test('a node that may not serve without contact refuses once the time is over, and serves again with the next contact', async () => {
    await using upstream = await startUpstream()
    const { start } = await installation()
    await using a = await start('a')
    const token = await publishOrders(a, upstream.url)
    await using b = await start('b', ['--stale-max', '30s'])
    await until(
      () => b.manage('GET', '/nodes'),
      ({ json }) =>
        json.items.every((node: { pending_revision: number | null }) => node.pending_revision === null),
    )
    await postgres.stop()
    assert.equal((await get(b, token)).status, 200)
    // Its last contact was a few seconds ago at most
    b.moveClock(31_000)
    const refused = await get(b, token)
    assert.deepEqual([refused.status, refused.json.code], [503, 'not_ready'], refused.text)
    assert.equal((await fetch(`${b.running.controlUrl}/readyz`)).status, 503)
    assert.equal((await get(a, token)).status, 200)
    await b.stop()
    // It cannot know what was revoked since
    await using again = await start('b', ['--stale-max', '30s'], true)
    assert.equal((await get(again, token)).status, 503)
    await postgres.start()
    await until(
      () => get(again, token),
      ({ status }) => status === 200,
    )
    assert.equal((await fetch(`${again.running.controlUrl}/readyz`)).status, 200)
  })

  test('readiness, metrics and the doctor know the nodes', async () => {
    const { start, url, data } = await installation()
    await using a = await start('a')
    await using b = await start('b')
    const ready = await (await fetch(`${b.running.controlUrl}/readyz`)).json()
    assert.deepEqual((ready as { nodes: unknown }).nodes, { counted: 2, silent: 0 })
    const page = await until(
      () => a.manage('GET', '/../../metrics'),
      ({ text }) => text.includes('postern_nodes{state="counted"} 2'),
    )
    assert.match(page.text, /^postern_nodes\{state="silent"\} 0$/m)
    const findings = await examine(placesOf(addressOf(url)), lookAtValkey, {
      data: data('a'),
      env: { POSTERN_DATABASE_URL: url },
      isNetworkAsked: false,
    })
    const found = findings.filter(({ check }) => check === 'nodes')
    assert.deepEqual(
      found.map(({ state }) => state),
      ['ok'],
    )
    assert.match(found[0]!.found, /^running: [^ ]+:\d+, [^ ]+:\d+$/)
  })

  test('an instance with files is one node, which can be drained and not removed', async () => {
    await using server = await startTestServer()
    const [node] = await nodesOf(server)
    assert.deepEqual([node.answers, node.state], [true, 'ready'])
    assert.equal((await server.manage('POST', `/nodes/${node.id}/drain`, {})).json.state, 'draining')
    assert.equal((await fetch(`${server.running.controlUrl}/readyz`)).status, 503)
    assert.equal((await server.manage('POST', `/nodes/${node.id}/remove`, {})).json.code, 'in_use')
  })
})
