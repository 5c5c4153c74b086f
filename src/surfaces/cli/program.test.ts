import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { z } from 'zod'
import { sampleOperations } from '../../../test/fixtures/sample-operations.ts'
import { startSampleServer } from '../../../test/fixtures/sample-server.ts'
import { cliPorts } from '../../../test/support/cli-ports.ts'
import { define } from '../../operations/engine/define.ts'
import type { CliPorts, TokenRequest } from './ports.ts'
import { runCli } from './program.ts'

let server: Awaited<ReturnType<typeof startSampleServer>>
const directory = mkdtempSync(join(tmpdir(), 'postern-cli-'))
before(async () => {
  server = await startSampleServer()
})
beforeEach(() => {
  server.calls.length = 0
  server.gadgets.clear()
})
after(async () => {
  await server.close()
  rmSync(directory, { recursive: true })
})

interface Run {
  readonly stdin?: string
  readonly answer?: string
  readonly env?: Record<string, string>
  readonly colour?: boolean
  readonly ports?: Partial<CliPorts>
}

/** Runs a command line against the sample server, unless the environment says otherwise. */
async function postern(args: string, { stdin = '', answer, env, colour = false, ports }: Run = {}) {
  let asked = ''
  const whole = cliPorts({
    operations: sampleOperations,
    env: env ?? {
      POSTERN_URL: server.url,
      POSTERN_TOKEN: 'admin-token',
      POSTERN_DATA: join(directory, 'none'),
    },
    readStdin: async () => stdin,
    interactive: answer !== undefined,
    colour,
    ask: async (question) => {
      asked += question
      return answer ?? ''
    },
    issueOffline: () => Promise.reject(new Error('no data directory there')),
    resetOffline: () => Promise.reject(new Error('no data directory there')),
    up: async () => {},
    upHelp: async () => 'Settings:\n  --listen\n',
    ...ports,
  })
  const words = args.match(/'[^']*'|\S+/g) ?? []
  const code = await runCli(
    whole,
    words.map((word) => word.replace(/^'(.*)'$/, '$1')),
  )
  return { code, ...whole.printed, asked }
}

function lastCall() {
  return server.calls.at(-1)!
}

test('flags become the input by its schema', async () => {
  const made = await postern(
    'gadgets create --name Lamp --slug lamp --size 3 --tags a --tags b --live --extra \'{"x":1}\'',
  )
  assert.equal(made.code, 0, made.err)
  assert.deepEqual(lastCall().input, {
    name: 'Lamp',
    slug: 'lamp',
    size: 3,
    tags: ['a', 'b'],
    maker: null,
    live: true,
    extra: { x: 1 },
  })
  assert.equal(lastCall().via.surface, 'cli')
  assert.match(made.out, /^slug +lamp$/m)
  await postern("gadgets update lamp --no-live --size null --tags ''")
  assert.deepEqual(lastCall().input, { id: 'lamp', live: false, size: null, tags: [] })
})

test('a file, --json, flags and --set are one input, and later ones win', async () => {
  const file = join(directory, 'gadget.yaml')
  writeFileSync(file, 'name: From file\nsize: 1\nmaker:\n  city: Rome\n  years: [1999]\n')
  await postern(
    `gadgets create -f ${file} --json '{"size":2,"live":true}' --size 3 --set maker.years[1]=2001 --set maker.city=12`,
  )
  const input = lastCall().input
  assert.equal(input['name'], 'From file')
  assert.equal(input['size'], 3)
  assert.equal(input['live'], true)
  assert.deepEqual(input['maker'], { city: '12', years: [1999, 2001] })
  const piped = await postern('gadgets create -f -', { stdin: '{"name":"Piped"}' })
  assert.equal(piped.code, 0, piped.err)
  assert.equal(lastCall().input['name'], 'Piped')
})

test('lists are tables by the columns of the operation; -o json and yaml give all of it', async () => {
  await postern('gadgets create --name Lamp --set maker.city=Oslo --tags x')
  await postern("gadgets create --name 'Red\u001b[31m\nchair'")
  const table = await postern('gadgets list --limit 10')
  const [heading, lamp, chair] = table.out.split('\n')
  assert.match(heading!, /^SLUG +NAME +SIZE +MAKER\.CITY +TAGS$/)
  assert.match(lamp!, /^lamp +Lamp +- +Oslo +x$/)
  assert.match(chair!, /Red\\u001b\[31m\\nchair/)
  const json = await postern('gadgets list -o json')
  assert.equal((JSON.parse(json.out) as { items: unknown[] }).items.length, 2)
  assert.match((await postern('gadgets get lamp -o yaml')).out, /^maker:\n {2}city: Oslo$/m)
  assert.match((await postern('gadgets list', { colour: true })).out, /\u001b\[1mSLUG/)
  const plain = { POSTERN_URL: server.url, POSTERN_TOKEN: 'admin-token', NO_COLOR: '1' }
  assert.doesNotMatch((await postern('gadgets list', { colour: true, env: plain })).out, /\u001b/)
})

test('safety of writes: dry run, revision, idempotency key, reason', async () => {
  const dry = await postern('gadgets create --name Ghost --dry-run --reason why --idempotency-key k')
  assert.equal(dry.code, 0)
  assert.equal(dry.out, '+ /ghost: "Ghost"\n')
  assert.deepEqual(lastCall().options, { dryRun: true, idempotencyKey: 'k', reason: 'why' })
  await postern('gadgets create --name Lamp')
  const stale = await postern('gadgets update lamp --size 1 --if-revision 7')
  assert.equal(stale.code, 4)
  assert.match(stale.err, /^error: Revision conflict \(revision_conflict\)/)
  assert.match(stale.err, /request req_/)
})

test('what cannot be undone asks for the slug, and refuses where nobody can be asked', async () => {
  const remake = () => postern('gadgets put gone --name Gone')
  await remake()
  const nobody = await postern('gadgets delete gone')
  assert.equal(nobody.code, 2)
  assert.match(nobody.err, /add --confirm with the slug of gone, or --yes/)
  const wrong = await postern('gadgets delete gone', { answer: 'no' })
  assert.equal(wrong.code, 2)
  assert.match(wrong.asked, /Type gone to delete gadgets gone/)
  assert.equal(server.gadgets.size, 1)
  assert.equal((await postern('gadgets delete gone', { answer: 'gone' })).code, 0)
  await remake()
  const id = [...server.gadgets.keys()][0]!
  assert.equal((await postern(`gadgets delete ${id} --yes`)).code, 0)
  await remake()
  assert.equal((await postern('gadgets delete gone --confirm gone')).code, 0)
  assert.equal(server.gadgets.size, 0)
})

test('a resource without a slug is confirmed with the id that was given', async () => {
  const { prepare: _prepare, ...sample } = sampleOperations[0]!
  const numbered = {
    ...sample,
    resource: 'states',
    input: z.strictObject({ id: z.string() }),
    output: z.object({ id: z.string() }),
    subject: () => ({ type: 'gadget' as const, id: null, slug: null }),
    handle: async () => ({ id: '3' }),
  }
  const operations = [
    define({ ...numbered, action: 'get', effect: 'read' }),
    define({ ...numbered, action: 'restore', effect: 'act', refuses: ['confirmation_required'] }),
  ]
  const ports = { operations, fetch: async () => Response.json({ id: '3' }) }
  const nobody = await postern('states restore 3', { ports })
  assert.equal(nobody.code, 2)
  assert.match(nobody.err, /add --confirm 3, or --yes/)
  const asked = await postern('states restore 3', { ports, answer: '3' })
  assert.equal(asked.code, 0, asked.err)
  assert.match(asked.asked, /Type 3 to restore/)
})

test('a dry run of what cannot be undone asks nobody, with and without a terminal', async () => {
  for (const ports of [{}, { answer: 'no' }]) {
    await postern('gadgets put gone --name Gone')
    const dry = await postern('gadgets delete gone --dry-run', ports)
    assert.equal(dry.code, 0, dry.err)
    assert.equal(dry.asked, '')
    assert.deepEqual(lastCall().options, { dryRun: true, confirm: 'gone' })
  }
})

test('an action of several words is written with underscores or dashes', async () => {
  const { prepare: _prepare, ...sample } = sampleOperations[0]!
  const spinUp = define({
    ...sample,
    action: 'spin_up',
    effect: 'act',
    input: z.strictObject({ id: z.string() }),
    output: z.object({}),
    subject: () => ({ type: 'gadget', id: null, slug: null }),
    handle: async () => ({}),
  })
  const asked: string[] = []
  const answering: typeof fetch = async (url) => {
    asked.push(String(url).replace(/^.*\/v1/, ''))
    return Response.json({})
  }
  const ports = { operations: [...sampleOperations, spinUp], fetch: answering }
  for (const action of ['spin_up', 'spin-up'])
    assert.equal((await postern(`gadgets ${action} g`, { ports })).code, 0, action)
  assert.deepEqual(asked, ['/gadgets/g/spin_up', '/gadgets/g/spin_up'])
})

test('the flags of every command may also come before it', async () => {
  const listed = await postern('-o json gadgets list')
  assert.equal(listed.code, 0, listed.err)
  assert.deepEqual(JSON.parse(listed.out).items, [])
  const elsewhere = await postern('--url nowhere --output table gadgets list')
  assert.match(elsewhere.err, /"nowhere" is not a URL/)
})

test('what a file or --json lacks is said in one line', async () => {
  const missing = await postern('gadgets put g --file gone.yaml')
  assert.deepEqual([missing.code, missing.err], [2, 'error: There is no file gone.yaml.\n'])
  const { code, err } = await postern('gadgets put g --json {a')
  assert.equal(code, 2)
  assert.match(err, /^error: --json is neither YAML nor JSON: .+ at line 1, column \d+\.\n$/)
})

test('an operation with a member called like an option keeps it', async () => {
  await postern('gadgets put g --name G')
  const rotated = await postern('gadgets rotate g --reason leak')
  assert.equal(rotated.code, 0, rotated.err)
  assert.equal(lastCall().input['reason'], 'leak')
  assert.match(rotated.out, /shown-once/)
  assert.equal(rotated.err, 'Keep the token: shown only now.\n')
})

test('--secret-only prints what is shown once and nothing else, for a variable of a shell', async () => {
  await postern('gadgets put g --name G')
  const { code, out, err } = await postern('gadgets rotate g --reason leak --secret-only')
  assert.deepEqual([code, err], [0, ''])
  assert.equal(out, 'shown-once\n')
})

test('exit codes: 0 ok, 1 error, 2 usage, 4 conflict', async () => {
  assert.equal((await postern('--version')).out, '9.9.9\n')
  assert.equal((await postern('--help')).code, 0)
  assert.equal((await postern('gadgets get nothing')).code, 1)
  for (const args of [
    'gadgets get',
    'gadgets list --limt 3',
    'gadgets list --limit x',
    'widgets list',
    'gadgets list -o xml',
    'gadgets create --json [1]',
    'gadgets create -f /nowhere',
    'gadgets create --set =1',
    'gadgets create --set name.x=1 --json {"name":[]}',
    'gadgets create',
    '',
  ])
    assert.equal((await postern(args)).code, 2, args)
  await postern('gadgets create --name A --slug a')
  assert.equal((await postern('gadgets create --name A --slug a')).code, 4)
  assert.equal((await postern('faults list')).code, 1)
})

test('a refusal is printed with flags, or as the problem object', async () => {
  const text = await postern('gadgets create --size 1')
  assert.match(text.err, /^error: Input invalid \(input_invalid\)\. The input has faults\.\n {2}--name: /)
  const json = await postern('gadgets create --size 1 -o json')
  assert.equal(json.out, '')
  assert.equal((JSON.parse(json.err) as { code: string }).code, 'input_invalid')
})

test('nothing listening, and something that is not Postern, are told in a sentence', async () => {
  const closed = await postern('gadgets list', {
    env: { POSTERN_URL: 'http://127.0.0.1:1', POSTERN_TOKEN: 'x' },
  })
  assert.equal(closed.code, 1)
  assert.match(closed.err, /^error: Nothing answered at http:\/\/127\.0\.0\.1:1\./)
  const other = createServer((_, response) => response.end('<html>'))
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const address = other.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const foreign = await postern(`gadgets list --url http://127.0.0.1:${port}`)
  assert.match(foreign.err, /is not the management API of Postern/)
  other.close()
})

/** The private socket of a running process, as far as the command line asks it. */
async function startLocal(dataDir: string) {
  const asked: unknown[] = []
  const local = createServer((request, response) => {
    let text = ''
    request.on('data', (piece) => {
      text += String(piece)
    })
    request.on('end', () => {
      asked.push(`${request.method} ${request.url} ${text}`)
      const answer =
        request.url === '/info'
          ? { management_url: `${server.url}/management/v1` }
          : { token: 'admin-token', expires_at: '2030-01-01T00:00:00.000Z' }
      response.end(JSON.stringify(answer))
    })
  })
  await new Promise<void>((resolve) => local.listen(join(dataDir, 'local.sock'), () => resolve()))
  return { asked, close: () => new Promise<void>((resolve) => local.close(() => resolve())) }
}

test('with a data directory the running process says where it is and gives a token of five minutes', async () => {
  const local = await startLocal(directory)
  const listed = await postern(`gadgets list --data ${directory}`, { env: {} })
  assert.equal(listed.code, 0, listed.err)
  assert.deepEqual(local.asked, [
    'GET /info ',
    'POST /token {"role":"admin","ttl":"5m","name":"local command line","method":"local_token"}',
  ])
  const elsewhere = await postern(`gadgets list --data ${directory} --url http://other.example`, { env: {} })
  assert.equal(elsewhere.code, 2)
  assert.match(elsewhere.err, /Set POSTERN_TOKEN to call elsewhere/)
  assert.equal(local.asked.length, 3, 'no token was asked for')
  const token = await postern('token --role viewer --ttl 1h', { env: { POSTERN_DATA: directory } })
  assert.equal(token.out, 'admin-token\n')
  assert.equal(local.asked.at(-1), 'POST /token {"role":"viewer","ttl":"1h","name":"postern token"}')
  await local.close()
})

test('without a running process a token is issued in the data directory, or the way is told', async () => {
  const none = await postern(`gadgets list --data ${directory}`, { env: {} })
  assert.equal(none.code, 2)
  assert.match(none.err, /No token: nothing runs on .*--data, or set POSTERN_TOKEN/)
  const requests: [string, TokenRequest][] = []
  const issued = await postern(`token --role admin --data ${directory} -o json`, {
    ports: {
      issueOffline: async (dataDir, request) => {
        requests.push([dataDir, request])
        return { token: 'offline', expires_at: '2030-01-01T00:00:00.000Z' }
      },
    },
  })
  assert.equal((JSON.parse(issued.out) as { token: string }).token, 'offline')
  assert.deepEqual(requests, [[directory, { role: 'admin', ttl: '15m', name: 'postern token' }]])
  assert.equal((await postern('token --role root')).code, 2)
  assert.equal((await postern('token --ttl soon')).code, 2)
  assert.equal((await postern('token --role admin')).code, 1)
  const refuses = { issueOffline: () => Promise.reject(new Error('/ttl: at most 24h.')) }
  const long = await postern('token --ttl 99d', { ports: refuses })
  assert.deepEqual([long.code, long.err], [2, 'error: --ttl: at most 24h.\n'])
})

test('up passes its flags on untouched and shows the settings in its help', async () => {
  let flags: readonly string[] = []
  await postern('up --listen :9000 --workers=2', {
    ports: {
      up: async (given) => {
        flags = given
      },
    },
  })
  assert.deepEqual(flags, ['--listen', ':9000', '--workers=2'])
  assert.match((await postern('up --help')).out, /Settings:/)
})

test('openapi import sends the file and sums up what was made', async () => {
  const seen: Record<string, unknown>[] = []
  const { prepare: _prepare, ...sample } = sampleOperations[0]!
  const importing = define({
    ...sample,
    resource: 'collections',
    action: 'import',
    effect: 'act',
    summary: 'Import',
    input: z.strictObject({ document: z.string(), base_path: z.string() }),
    output: z.object({}),
    subject: () => ({ type: 'collection', id: null, slug: null }),
    handle: async () => ({}),
  })
  let proxies = 4
  const answering: typeof fetch = async (url, init) => {
    seen.push(JSON.parse(String(init?.body)) as Record<string, unknown>)
    const collection = {
      slug: 'shop',
      base_path: '/shop',
      status: seen.length === 1 ? 'draft' : 'published',
      request_validation: seen.length === 1 ? 'report' : 'enforce',
      upstream: seen.length === 1 ? null : { targets: [{ url: 'http://127.0.0.1:9' }] },
    }
    const warnings = [{ pointer: '/paths/~1x', reason: 'left out' }]
    const notEnforced = Array.from({ length: 12 }, (_, at) => ({ pointer: `/a/${at}`, reason: 'no' }))
    const result = { collection, proxies, draft_proxies: 1, schemas: 2, warnings, not_enforced: notEnforced }
    const isDryRun = new URL(String(url)).searchParams.has('dry_run') || 'dry_run' in seen.at(-1)!
    return Response.json(isDryRun ? { dry_run: true, diff: [], result } : result, { status: 200 })
  }
  const ports = { operations: [...sampleOperations, importing], fetch: answering }
  const made = await postern('openapi import - --base-path /shop --upstream http://127.0.0.1:9 --publish', {
    stdin: 'openapi: 3.1.0',
    ports,
  })
  assert.equal(made.code, 0, made.err)
  assert.deepEqual(seen, [
    { document: 'openapi: 3.1.0', base_path: '/shop', upstream: 'http://127.0.0.1:9', publish: true },
  ])
  assert.match(
    made.out,
    /^Collection shop at \/shop: 4 proxies, draft; 1 of them stays a draft\.\n {2}\/paths\/~1x: left out\n {2}not enforced: \/a\/0: no\n/,
  )
  assert.match(
    made.out,
    / {2}not enforced: \/a\/9: no\n {2}not enforced: 2 more; -o json lists all\nIt has no upstream\. Set one: .*\nContract checks only report for now\. List the findings: .*\nPublish it: .*\n$/,
  )
  const published = await postern('openapi import - --base-path /shop --publish', { stdin: '{}', ports })
  assert.match(published.out, /^Collection shop at \/shop: 4 proxies, published; 1 of them stays a draft\.\n/)
  assert.match(published.out, /\nUpstream: http:\/\/127\.0\.0\.1:9\n$/)
  proxies = 1
  const single = await postern('openapi import - --base-path /shop', { stdin: '{}', ports })
  assert.match(single.out, /^Collection shop at \/shop: 1 proxy, published/)
  await postern('openapi import -', { stdin: '{}', ports })
  assert.deepEqual(seen.at(-1), { document: '{}' })
  await postern('openapi import - --request-validation enforce', { stdin: '{}', ports })
  assert.deepEqual(seen.at(-1), { document: '{}', request_validation: 'enforce' })
  const dry = await postern('openapi import - --dry-run', { stdin: '{}', ports })
  assert.match(dry.out, /^Collection shop at \/shop: 1 proxy/)
  assert.match(dry.err, /Dry run: nothing was stored\.\n$/)
})

test('openapi reimport shows what changes, with what could break callers', async () => {
  const seen: Record<string, unknown>[] = []
  const { prepare: _prepare, ...sample } = sampleOperations[0]!
  const [importing, again] = ['import', 'reimport'].map((action) =>
    define({
      ...sample,
      resource: 'collections',
      action,
      effect: 'act',
      input: z.strictObject({ id: z.string(), document: z.string() }),
      output: z.object({}),
      subject: () => ({ type: 'collection', id: null, slug: null }),
      handle: async () => ({}),
    }),
  )
  const answering: typeof fetch = async (_, init) => {
    seen.push(JSON.parse(String(init?.body)) as Record<string, unknown>)
    const breaking = [{ pointer: '/path', reason: 'was /a' }]
    const changes = [
      { change: 'changed', proxy: 'get-a', route: 'GET /b', members: ['path'], breaking },
      { change: 'added', proxy: 'get-c', route: 'GET /c', members: [], breaking: [] },
    ]
    return Response.json({
      changes,
      added: 1,
      changed: 1,
      missing: 0,
      unchanged: 7,
      breaking: 1,
      warnings: [],
    })
  }
  const ports = { operations: [...sampleOperations, importing!, again!], fetch: answering }
  const line = 'openapi reimport - --collection shop --allow-breaking --missing draft'
  const made = await postern(line, { stdin: '{}', ports })
  assert.equal(made.code, 0, made.err)
  assert.deepEqual(seen, [{ document: '{}', breaking: 'allow', missing: 'draft' }])
  assert.equal(
    made.out,
    '~ get-a  GET /b  (path)\n    breaking: /path was /a\n+ get-c  GET /c\n1 added, 1 changed, 0 missing, 7 unchanged, 1 breaking\n',
  )
  assert.equal((await postern('openapi reimport -', { ports })).code, 2, '--collection is required')
})

test('--all follows every page of a list, and tells how far it is on the other stream', async () => {
  const asked: string[] = []
  const pages: typeof fetch = async (url) => {
    const { searchParams } = new URL(String(url))
    asked.push(String(searchParams))
    const at = Number(searchParams.get('cursor') ?? 0)
    return Response.json({ items: [{ slug: `g${at}` }], next_cursor: at < 2 ? String(at + 1) : null })
  }
  const all = await postern('gadgets list --all -o json', { ports: { fetch: pages } })
  assert.equal(all.code, 0, all.err)
  const slugs = [{ slug: 'g0' }, { slug: 'g1' }, { slug: 'g2' }]
  assert.deepEqual(JSON.parse(all.out), { items: slugs, next_cursor: null })
  assert.equal(all.err, '1 so far ...\n2 so far ...\n')
  assert.deepEqual(asked, ['limit=200', 'limit=200&cursor=1', 'limit=200&cursor=2'])
  assert.equal((await postern('gadgets get g1 --all')).code, 2)
})

test('what is wrong with a command line is told in the form that was asked for, with the near command', async () => {
  const near = await postern('gadgets lst')
  assert.deepEqual([near.code, near.out], [2, ''])
  assert.match(near.err, /unknown command 'lst'\n\(Did you mean list\?\)/)
  assert.match((await postern('gadget list')).err, /Did you mean gadgets\?/)
  assert.match((await postern('gadgets list --limt 3')).err, /Did you mean --limit\?/)
  const json = await postern('gadgets lst -o json')
  assert.deepEqual(JSON.parse(json.err), {
    code: 'usage',
    detail: "unknown command 'lst' (Did you mean list?)",
  })
  assert.match((await postern('gadgets get none -o yaml')).err, /^type: .*\n[\s\S]*^code: not_found$/m)
  assert.match(
    (await postern('gadgets create --help')).out,
    /Example:\n {2}postern gadgets create --name Example\n/,
  )
})

test('whoami says in sentences who that is, where, and what it may do', async () => {
  const { prepare: _prepare, ...sample } = sampleOperations[0]!
  const asking = define({
    ...sample,
    resource: 'whoami',
    action: 'show',
    effect: 'read',
    summary: 'Show who you are',
    input: z.strictObject({}),
    output: z.object({}),
    subject: () => ({ type: 'access', id: null, slug: null }),
    handle: async () => ({}),
  })
  const grants: Record<string, unknown>[] = [{ grant: 'viewer' }, { grant: 'modifier:proxies@payments' }]
  const answer = {
    name: 'Ada',
    type: 'user',
    email: 'ada@x.example',
    auth_method: 'oauth',
    teams: ['core'],
    grants,
  }
  const fetching: typeof fetch = async () =>
    Response.json({ ...answer, expires_at: null, narrowed_from: null })
  const ports = { operations: [...sampleOperations, asking], fetch: fetching }
  const { code, out } = await postern('whoami', { ports })
  assert.equal(code, 0)
  assert.equal(
    out,
    `Ada (user, ada@x.example) at ${server.url}\nauthenticated by oauth\nin the teams core\nmay act as viewer and modifier:proxies@payments\n`,
  )
  assert.equal(JSON.parse((await postern('whoami -o json', { ports })).out).url, server.url)
  const permissions = ['proxies:read', 'proxies:update']
  grants.splice(0, 2, { grant: 'permissions@payments', role: null, permissions })
  assert.match((await postern('whoami', { ports })).out, /may act as 2 permissions@payments\n/)
})

test('a generated command with a shorter main command is an alias: it takes the arguments of the main one, and the members of the request', async () => {
  const { prepare: _prepare, ...sample } = sampleOperations[0]!
  const explaining = define({
    ...sample,
    resource: 'requests',
    action: 'explain',
    effect: 'read',
    summary: 'Explain a request',
    input: z.strictObject({
      method: z.string(),
      target: z.string(),
      headers: z.array(z.string()).optional(),
    }),
    output: z.object({}),
    subject: () => ({ type: 'request', id: null, slug: null }),
    handle: async () => ({}),
  })
  const asked: string[] = []
  const fetching: typeof fetch = async (input) => {
    asked.push(new URL(String(input)).search)
    return Response.json({ summary: 'Forwarded.', candidates: [], checks: [] })
  }
  const ports = { operations: [...sampleOperations, explaining], fetch: fetching }
  for (const line of [
    'explain GET /orders -H a:b --header c:d',
    'requests explain GET /orders --headers a:b --header c:d',
    '-o table requests explain --header a:b GET /orders -H c:d',
  ]) {
    const { code, out, err } = await postern(line, { ports })
    assert.equal(code, 0, err)
    assert.match(out, /^Forwarded\.\n$/, line)
  }
  assert.match((await postern('explain GET /orders --long', { ports })).out, /^Forwarded\.\n\nChecks:\n$/)
  assert.equal((await postern('explain GET', { ports })).code, 2)
  for (const line of ['explain --request-id req_7', 'requests explain --request-id req_7'])
    assert.equal((await postern(line, { ports })).out, 'Forwarded.\n', line)
  assert.deepEqual(asked.splice(3), [
    '?method=GET&target=%2Forders',
    '?request_id=req_7',
    '?request_id=req_7',
  ])
  assert.equal((await postern('requests explain --method GET --target /orders -o json', { ports })).code, 0)
  assert.ok(asked.slice(0, 3).every((search) => search.includes('c%3Ad')))
  assert.match(asked[3]!, /method=GET&target=%2Forders/)
  assert.match(
    (await postern('requests explain GET /orders --nonsense', { ports })).err,
    /unknown option '--nonsense'/,
  )
  assert.match((await postern('requests --help', { ports })).out, /explain .*Alias of `postern explain`/)
})

test('a flag has the name of the member in REST, and its older name still works', async () => {
  for (const flag of ['--expected-revision', '--if-revision']) {
    await postern('gadgets create --name Lamp')
    assert.match((await postern(`gadgets update lamp --size 1 ${flag} 7`)).err, /revision_conflict/, flag)
  }
})
