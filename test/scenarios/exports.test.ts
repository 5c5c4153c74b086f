import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { runCommand } from './cli.ts'
import {
  askMcp,
  callAsAgent,
  publishOrders,
  type Reply,
  startTestServer,
  type TestServer,
  until,
} from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

let server: TestServer
let upstream: TestUpstream
let files: string

before(async () => {
  files = await mkdtemp(join(tmpdir(), 'postern-exported-'))
  upstream = await startUpstream()
  server = await startTestServer({ workers: 1 })
  const token = await publishOrders(server, upstream.url)
  const other = { name: 'Payments', slug: 'payments', base_path: '/payments' }
  await server.manage('POST', '/collections', { ...other, upstream: { targets: [{ url: upstream.url }] } })
  for (const id of [7, 8]) await server.gateway('GET', `/orders/v1/orders/${id}`, { token })
  await server.gateway('GET', '/orders/nowhere', { token })
  await server.gateway('GET', '/elsewhere', { token })
  await callAsAgent(server, token, { endpoint: 'GET /orders/v1/orders/7' })
})
after(async () => {
  // Whichever did not come up has nothing to stop.
  await server?.stop()
  await upstream?.[Symbol.asyncDispose]()
  await rm(files, { recursive: true, force: true })
})

async function tokenOf(...grants: string[]): Promise<string> {
  return (await server.running.issueToken({ grants, ttl: '1h', name: grants.join() })).token
}

/** Asks for an export and waits until it is done. */
async function exported(order: object, token = server.adminToken) {
  const made = await server.manage('POST', '/exports', order, { token })
  assert.equal(made.status, 201, made.text)
  const { json } = await until(
    () => server.manage('GET', `/exports/${made.json.id}`, undefined, { token }),
    ({ json: { state } }) => state !== 'queued' && state !== 'running',
  )
  assert.equal(json.state, 'ready', json.error)
  return json
}

const download = (id: string, token = server.adminToken, method = 'GET'): Promise<Reply> =>
  server.manage(method, `/exports/${id}/download`, undefined, { token })

const linesOf = ({ text }: Reply): string[] => text.split(/\r?\n/).slice(0, -1)

test('an export holds what the list finds, as a file of NDJSON or CSV', async () => {
  const list = await server.manage('GET', '/records?collection=orders&limit=200')
  const ndjson = await exported({ of: 'records', format: 'ndjson', collection: 'orders' })
  const answer = await download(ndjson.id)
  assert.deepEqual(
    linesOf(answer).map((line) => JSON.parse(line)),
    list.json.items,
  )
  assert.equal(answer.headers.get('content-type'), 'application/x-ndjson')
  const name = `postern-records-${ndjson.id}.ndjson`
  assert.equal(answer.headers.get('content-disposition'), `attachment; filename="${name}"`)
  assert.equal(answer.headers.get('content-length'), String(ndjson.bytes))
  assert.equal(answer.headers.get('cache-control'), 'no-store')

  const csv = await exported({ of: 'records', collection: 'orders', status: '2xx' })
  assert.deepEqual([csv.format, csv.rows, csv.truncated], ['csv', 3, false])
  const table = await download(csv.id)
  assert.equal(table.headers.get('content-type'), 'text/csv; charset=utf-8')
  const [header, ...rows] = linesOf(table)
  assert.match(header!, /^id,time,environment,surface,method,path,route,collection,/)
  assert.equal(rows.length, 3)
  assert.ok(rows.every((row) => row.includes(',orders,')))
  const head = await download(csv.id, server.adminToken, 'HEAD')
  assert.deepEqual([head.status, head.text, head.headers.get('content-length')], [200, '', String(csv.bytes)])
})

test('the trail tells who asked for an export of it and each download, as reads', async () => {
  const auditor = await tokenOf('auditor')
  const made = await exported({ of: 'audit', action: 'CREATE', with_reason: 'x', format: 'ndjson' }, auditor)
  assert.deepEqual([made.rows, made.filters], [0, { action: 'CREATE', with_reason: 'x' }])
  const all = await exported({ of: 'audit', action: 'CREATE', format: 'ndjson' }, auditor)
  const lines = linesOf(await download(all.id, auditor))
  assert.ok(lines.length > 5 && lines.every((line) => JSON.parse(line).action === 'CREATE'))
  const { json } = await server.manage('GET', `/audit?resource=${all.id}`)
  assert.deepEqual(
    json.items.map((one: Reply['json']) => [one.operation, one.action, one.outcome, one.actor.name]),
    [
      ['exports.download', 'READ', 'ok', 'auditor'],
      ['exports.create', 'READ', 'ok', 'auditor'],
    ],
  )
})

test('who may not export the trail gets none of it, and a scope holds its own rows alone', async () => {
  const [viewer, scoped] = [
    await tokenOf('viewer'),
    await tokenOf('viewer@payments', 'viewer:records@orders'),
  ]
  const denied = await server.manage('POST', '/exports', { of: 'audit' }, { token: viewer })
  assert.deepEqual([denied.status, denied.json.permission], [403, 'audit:export'])
  const trail = await exported({ of: 'audit' })
  assert.equal((await download(trail.id, viewer)).status, 404)

  const whole = await exported({ of: 'records' }, viewer)
  assert.equal((await download(whole.id, viewer)).status, 200)
  const own = await exported({ of: 'records' }, scoped)
  const { json } = await server.manage('GET', '/records?limit=200', undefined, { token: scoped })
  assert.ok(own.rows > 0 && own.rows < whole.rows)
  assert.equal(own.rows, json.items.length)
  assert.equal((await download(own.id, viewer)).status, 200)
  for (const path of [`/${whole.id}`, `/${whole.id}/download`, `/${trail.id}`])
    assert.equal((await server.manage('GET', `/exports${path}`, undefined, { token: scoped })).status, 404)
  const listed = await server.manage('GET', '/exports', undefined, { token: scoped })
  assert.deepEqual(
    listed.json.items.map(({ id }: { id: string }) => id),
    [own.id],
  )
  const narrower = await tokenOf('viewer@payments')
  assert.equal((await download(own.id, narrower)).status, 404)
})

test('filters of the other list are refused, and so is a file that is not there', async () => {
  const wrong = await server.manage('POST', '/exports', { of: 'records', actor: 'ann' })
  assert.deepEqual([wrong.status, wrong.json.code], [400, 'input_invalid'])
  const made = await exported({ of: 'records' })
  const cancelled = await server.manage('POST', `/exports/${made.id}/cancel`, {})
  assert.equal(cancelled.json.state, 'expired')
  const gone = await download(made.id)
  assert.deepEqual([gone.status, gone.json.code], [404, 'not_found'])
  assert.match(gone.json.detail, /is expired, so it has no file/)
  const dry = await server.manage('POST', '/exports?dry_run=true', { of: 'records' })
  assert.equal(dry.status, 200)
  assert.equal((await server.manage('GET', `/exports/${dry.json.result.id}`)).status, 404)
})

test('the command line writes what docs/exports.md shows into files', async () => {
  const page = await readFile(resolve(import.meta.dirname, '../../docs/exports.md'), 'utf8')
  const commands = [...page.matchAll(/^postern (exports create .*) --out (\S+)$/gm)]
  assert.equal(commands.length, 2)
  for (const [, line, name] of commands) {
    const out = join(files, name!)
    const { code, err, ...said } = await runCommand(server.data, [
      ...line!.split(' '),
      '--out',
      out,
      '-o',
      'json',
    ])
    assert.equal(code, 0, err)
    const { id, rows, state, bytes } = JSON.parse(said.out)
    assert.deepEqual([state, rows > 0, (await stat(out)).size], ['ready', true, bytes])
    assert.equal((await stat(out)).mode & 0o777, 0o600)
    const again = await runCommand(server.data, ['exports', 'download', id, '--out', `${out}.again`])
    assert.equal(again.code, 0, again.err)
    assert.equal(await readFile(`${out}.again`, 'utf8'), await readFile(out, 'utf8'))
  }
  const none = await runCommand(server.data, [
    'exports',
    'download',
    'exp_none',
    '--out',
    join(files, 'none'),
  ])
  assert.equal(none.code, 1)
  await assert.rejects(stat(join(files, 'none')), { code: 'ENOENT' })
})

test('an agent begins an export and follows it, and gets no file', async () => {
  const tool = async (name: string, args: object) => {
    const params = { name, arguments: args }
    const { json } = await askMcp(server, '/management/mcp', server.adminToken, 'tools/call', params)
    return json.result
  }
  const begun = await tool('create_export', { of: 'records', tool: 'execute_call' })
  const { id } = begun.structuredContent
  const ready = await until(
    () => tool('manage_exports', { action: 'get', id }),
    ({ structuredContent }) => structuredContent.state === 'ready',
  )
  assert.equal(ready.structuredContent.rows, 1)
  const refused = await tool('manage_exports', { action: 'download', id })
  assert.equal(refused.isError, true)
})
