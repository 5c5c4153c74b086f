import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { commandsOf } from '../support/command-page.ts'
import { examplesOf } from '../support/examples.ts'
import { CASES, type KongCase } from '../support/kong-cases.ts'
import { runCommand } from './cli.ts'
import { type Reply, startTestServer, type TestServer } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

let server: TestServer
let upstream: TestUpstream
const directory = mkdtempSync(join(tmpdir(), 'postern-kong-'))
before(async () => {
  server = await startTestServer()
  upstream = await startUpstream()
})
after(async () => {
  await upstream.close()
  await server.stop()
  rmSync(directory, { recursive: true })
})

interface Row {
  readonly part: string
  readonly name: string
  readonly result: string
  readonly reason: string
}

/** Converts files, applies what they become as one set and imports their keys; gives the report of each, and all that was told. */
async function moved(
  files: readonly object[],
  set: string,
): Promise<{ readonly reports: readonly Row[][]; readonly told: string }> {
  const told: string[] = []
  const manage = async (action: string, input: object) => {
    const reply = await server.manage('POST', `/config/${action}`, input)
    assert.equal(reply.status, 200, reply.text)
    told.push(reply.text)
    return reply.json
  }
  const documents: object[] = []
  const reports: Row[][] = []
  for (const document of files) {
    const converted = await manage('convert', { document })
    documents.push(...converted.documents)
    reports.push(converted.report)
  }
  await manage('plan', { documents, managed_by: set })
  await manage('apply', { documents, managed_by: set })
  for (const document of files) await manage('import_keys', { document, managed_by: set })
  return { reports, told: told.join('\n') }
}

const get = (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Reply> =>
  server.gateway(method, path, { headers })

test('each documented option of the corpus is carried over, as calls show, or closed and named in the report', async () => {
  const keyOf = (index: number): string => `PLANTED-key-of-case-${index}`
  const files = CASES.map((one, index) => documentOf(one, `c${index}`, keyOf(index)))
  const { reports, told } = await moved(files, 'corpus')
  assert.doesNotMatch(told, /PLANTED/)
  for (const [index, one] of CASES.entries()) {
    const [id, key] = [`c${index}`, keyOf(index)]
    const rows = reports[index]!.map(
      ({ result, part, name, reason }) => `${result} ${part} ${name}: ${reason}`,
    ).join('\n')
    for (const named of [one.named ?? []].flat()) assert.match(rows, named, one.name)
    for (const { path = '', headers = {}, method = 'GET', status, seen, answered } of one.calls) {
      const before = upstream.seen.length
      const all = { ...(headers['apikey'] === undefined ? { apikey: key } : {}), ...headers }
      const given = Object.fromEntries(
        Object.entries(all)
          .filter(([, value]) => value !== '')
          .map(([name, value]) => [name, value.replace('KEY', key)]),
      )
      const reply = await get(`/${id}${path.replace('KEY', key)}`, given, method)
      const what = `${one.name}: ${method} ${path} ${JSON.stringify(headers)}: ${reply.text}\n${rows}`
      assert.equal(reply.status, status, what)
      assert.equal(upstream.seen.length, before + (status === 200 ? 1 : 0), what)
      if (status === 200) assert.ok(!JSON.stringify(upstream.seen.at(-1)).includes('PLANTED'), what)
      if (seen !== undefined) assert.match(JSON.stringify(upstream.seen.at(-1)), seen, what)
      for (const [name, value] of Object.entries(answered ?? {}))
        assert.equal(reply.headers.get(name), value, what)
    }
  }
})

function documentOf(one: KongCase, id: string, key: string): object {
  const fill = (value: unknown): unknown =>
    JSON.parse(
      JSON.stringify(value)
        .replaceAll('ID', id)
        .replaceAll('KEY', key)
        .replaceAll('UPSTREAM', `127.0.0.1:${upstream.port}`)
        .replaceAll('"PORT"', String(upstream.port)),
    )
  const { service = {}, route = {}, consumer = {}, more = {}, plugins = [{ name: 'key-auth' }] } = one
  return fill({
    _format_version: '3.0',
    services: [
      {
        name: 'ID',
        url: 'http://UPSTREAM',
        routes: [{ name: 'ID', paths: ['/ID'], ...route }],
        plugins,
        ...service,
      },
    ],
    consumers: [{ username: 'ID', keyauth_credentials: [{ key: 'KEY' }], ...consumer }],
    ...more,
  }) as object
}

test('no key stands in the audit trail, a record, an export, the log or a file of the data directory', async () => {
  const exported = await runCommand(server.data, ['export'])
  assert.equal(exported.code, 0, exported.err)
  const told = [
    exported.out,
    (await server.manage('GET', '/audit?limit=200')).text,
    (await server.manage('GET', '/records?limit=200')).text,
    ...server.log,
  ]
  assert.doesNotMatch(told.join('\n'), /PLANTED/)
  for (const file of readdirSync(server.data, { recursive: true, encoding: 'utf8' }))
    if (/\.(db|db-wal|mark|ndjson|log)$/.test(file))
      assert.ok(!readFileSync(join(server.data, file)).includes('PLANTED'), file)
})

test('keys go to profiles of the named set alone, by who may rotate them, and again without a change', async () => {
  const document = documentOf({ name: 'own', calls: [] }, 'own', 'PLANTED-key-of-its-own')
  const early = await server.manage('POST', '/config/import_keys', { document, managed_by: 'own' })
  assert.deepEqual([early.json.imported, early.json.left_out], [0, 1])
  assert.match(early.json.keys[0].reason, /apply the converted documents first/)
  await moved([document], 'own')
  assert.equal((await get('/own', { apikey: 'PLANTED-key-of-its-own' })).status, 200)
  const again = await server.manage('POST', '/config/import_keys', { document, managed_by: 'own' })
  assert.deepEqual([again.json.imported, again.json.present, again.json.left_out], [0, 1, 0])
  const other = await server.manage('POST', '/config/import_keys', { document, managed_by: 'another' })
  assert.equal(other.json.left_out, 1)
  const viewer = (await server.running.issueToken({ role: 'viewer', ttl: '1h', name: 'viewer' })).token
  const denied = await server.manage(
    'POST',
    '/config/import_keys',
    { document, managed_by: 'own' },
    { token: viewer },
  )
  assert.equal(denied.status, 403)
  const odd = await server.manage('POST', '/config/import_keys', {
    document: { mcpServers: {} },
    managed_by: 'own',
  })
  assert.equal(odd.json.code, 'document_invalid')
  // A revoked key stays revoked
  await server.manage('POST', '/profiles/own:token/revoke', {})
  assert.equal((await get('/own', { apikey: 'PLANTED-key-of-its-own' })).status, 401)
  const revoked = await server.manage('POST', '/config/import_keys', { document, managed_by: 'own' })
  assert.equal(revoked.json.left_out, 1)
})

test('the page about Kong converts, applies and imports as it says', async () => {
  const page = readFileSync(resolve(import.meta.dirname, '../../docs/kong.md'), 'utf8')
  const text = /```yaml\n([\s\S]*?)```/.exec(page)![1]!
  writeFileSync(
    join(directory, 'kong.yaml'),
    text.replaceAll('http://127.0.0.1:9000', `http://127.0.0.1:${upstream.port}`),
  )
  const commands = commandsOf('kong.md')
  assert.equal(commands.length, 3)
  for (const { args, prints, code: ends } of commands) {
    const [words, target] = args.includes('>') ? [args.slice(0, -2), args.at(-1)!] : [args, null]
    const files = words.map((word) => (/\.yaml$/.test(word) ? join(directory, word) : word))
    const { code, out, err } = await runCommand(server.data, files)
    assert.equal(code, ends, `${args.join(' ')}\n${out}${err}`)
    if (target !== null) writeFileSync(join(directory, target), out)
    assert.match(target === null ? out : err, prints)
  }
  const [call] = examplesOf('kong.md', {})
  assert.equal(
    (await server.gateway(call!.method, call!.path, { headers: call!.headers })).status,
    call!.status,
  )
})
