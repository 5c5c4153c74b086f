import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { OPERATIONS } from '../../src/operations/registry.ts'
import { commandsOf } from '../support/command-page.ts'
import { eventually } from '../support/eventually.ts'
import { backUp, examine } from '../support/upkeep.ts'
import { runCommand } from './cli.ts'
import { startTestServer, type TestServer } from './server.ts'
import { startUpstream } from './upstream.ts'

let server: TestServer
const files = mkdtempSync(join(tmpdir(), 'postern-files-'))
before(async () => {
  server = await startTestServer()
})
after(async () => {
  await server.stop()
  rmSync(files, { recursive: true })
})

const postern = (...args: string[]) => runCommand(server.data, args)

/** Runs a command that has to work, and gives what it printed as JSON. */
async function works(...args: string[]): Promise<Record<string, unknown>> {
  const { code, out, err } = await postern(...args, '-o', 'json')
  assert.equal(code, 0, `${args.join(' ')}: ${err}`)
  return JSON.parse(out) as Record<string, unknown>
}

test('docs/cli.md shows what its commands print', async () => {
  const env = { POSTERN_DATA: server.data, POSTERN_CONFIG: join(files, 'contexts.json') }
  const [before, directory] = [process.cwd(), mkdtempSync(join(tmpdir(), 'postern-page-'))]
  process.chdir(directory)
  try {
    const shown = commandsOf('cli.md')
    assert.ok(shown.length > 10)
    for (const { args, prints, code } of shown) {
      const ran = await runCommand(server.data, args, { env, backUp, examine })
      assert.equal(ran.code, code, `${args.join(' ')}: ${ran.err}`)
      assert.match(ran.err + ran.out, prints, args.join(' '))
    }
  } finally {
    process.chdir(before)
    rmSync(directory, { recursive: true })
  }
})

test('the whole of a collection, client and profile is made, used and deleted by commands', async () => {
  const collection = await works(
    ...['collections', 'create', '--name', 'Orders', '--slug', 'orders', '--base-path', '/orders'],
    ...['--set', 'upstream.targets[0].url=http://127.0.0.1:9', '--set', 'upstream.timeouts.connect=3s'],
  )
  assert.equal(collection['slug'], 'orders')
  await works(
    'proxies',
    'create',
    '--collection',
    'orders',
    '--name',
    'Get',
    '--methods',
    'GET',
    '--path',
    '/v1/orders/{id}',
    '--status',
    'published',
  )
  await works('collections', 'publish', 'orders')
  await works(
    'policies',
    'create',
    '--name',
    'Gold',
    '--slug',
    'gold',
    '--json',
    '{"limits":[{"name":"minute","kind":"rate","max":9,"window":"1m"}]}',
  )
  const file = join(files, 'acme.yaml')
  writeFileSync(file, 'name: Acme\nslug: acme\ncollections: [orders]\npolicy: gold\n')
  await works('clients', 'create', '-f', file, '--reason', 'a partner')
  const profile = await works(
    'profiles',
    'create',
    '--client',
    'acme',
    '--name',
    'Sandbox',
    '--slug',
    'sandbox',
    '--auth',
    '{"type":"token"}',
  )
  assert.match(String(profile['token']), /^pst_pk_/)
  const called = await server.gateway('GET', '/orders/v1/orders/7', { token: String(profile['token']) })
  assert.equal(called.status, 502, 'the caller is let in, and nothing listens at the upstream')

  const table = await postern('clients', 'list')
  assert.match(table.out, /acme/)
  const shown = await works('clients', 'get', 'acme')
  const stale = await postern(
    'clients',
    'update',
    'acme',
    '--name',
    'Other',
    '--if-revision',
    String(Number(shown['revision']) + 1),
  )
  assert.equal(stale.code, 4, stale.err)
  const dry = await postern('clients', 'update', 'acme', '--name', 'Other', '--dry-run')
  assert.match(dry.out, /^~ \/name: "Acme" -> "Other"$/m)

  const audit = await works('audit', 'list', '--limit', '200')
  const items = audit['items'] as { surface: string; operation: string; reason: string | null }[]
  const made = items.find((item) => item.operation === 'clients.create')
  assert.equal(made?.surface, 'cli')
  assert.equal(made?.reason, 'a partner')
  assert.ok(
    items.some((item) => item.operation === 'access_tokens.create'),
    'the local tokens are in the trail',
  )

  const unconfirmed = await postern('collections', 'delete', 'orders')
  assert.equal(unconfirmed.code, 2)
  assert.match(
    unconfirmed.err,
    /there is no terminal for the confirmation: add --confirm with the slug of orders, or --yes/,
  )
  const gone = await postern('clients', 'delete', 'acme', '--yes', '--dry-run')
  assert.match(gone.out, /^- \(all of it\): \{"slug":"acme"/m)
  const open = await postern(
    'profiles',
    'create',
    '--client',
    'acme',
    '--name',
    'O',
    '--set',
    'auth.type=none',
  )
  assert.doesNotMatch(open.err, /shown only now/)
  const unfit = await postern(
    'profiles',
    'create',
    '--client',
    'acme',
    '--name',
    'J',
    '--json',
    JSON.stringify({ auth: { type: 'jwt', mode: 'jwks_url' } }),
  )
  assert.match(unfit.err, /\(input_invalid\)\. --json \/auth\/audience: required in mode jwks_url/)
  const nobody = await postern('explain', 'GET', '/orders', '--client', 'acme', '--profile', 'live')
  assert.match(nobody.err, /There is no profile "acme:live"\./)
  const used = await postern('policies', 'delete', 'gold', '--yes')
  assert.equal(used.code, 4, used.err)
  assert.equal((await postern('clients', 'delete', 'acme', '--yes')).code, 0)
  assert.equal((await postern('clients', 'get', 'acme')).code, 1)
})

test('an update changes one element of a list, and shows that element as the difference', async () => {
  await works('policies', 'create', '--name', 'Steps', '--limit', '10/1m', '--quota', '500/1d')
  const one = await postern('policies', 'update', 'steps', '--set', 'limits.0.max=20', '--dry-run')
  assert.equal(one.out, '~ /limits/0/max (rate-1m): 10 -> 20\n', one.err)
  const changed = await works('policies', 'update', 'steps', '--set', 'limits[1].max=900')
  assert.deepEqual(
    (changed['limits'] as { max: number }[]).map(({ max }) => max),
    [10, 900],
  )
  const added = await postern('policies', 'update', 'steps', '--limit', '5/1s', '--dry-run')
  assert.equal(added.out, '+ /limits/2: {"name":"rate-1s","kind":"rate","max":5,"window":"1s"}\n')
  const beyond = await postern('policies', 'update', 'steps', '--set', 'limits[5].max=1')
  assert.equal(beyond.code, 2)
  assert.match(beyond.err, /--set limits\[5\]\.max: the list has 2 elements, \[0\] to \[1\]/)
  const stale = await postern('policies', 'update', 'steps', '--limit', '1/1m', '--if-revision', '1')
  assert.equal(stale.code, 4, stale.err)
})

test('an error names the flag, or the line of the file, and what was most likely meant', async () => {
  await works('policies', 'create', '--name', 'Steady', '--slug', 'steady')
  const file = join(files, 'wrong.yaml')
  writeFileSync(file, 'name: Wrong\n# a comment\nlimts: []\n')
  const document = join(files, 'document.yaml')
  const limit = '- {name: a, kind: rate, max: 3,\n       windw: 1m}'
  writeFileSync(document, `---\nkind: policy\nslug: w\nspec:\n  name: W\n  limits:\n    ${limit}\n`)
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['policies', 'create'], /\. --name: required\.$/m],
    [
      ['policies', 'create', '-f', file],
      /\. \S*wrong\.yaml:3 \/limts: unknown member; did you mean limits\?$/m,
    ],
    [['policies', 'create', '--name', 'N', '--limits', '[{}]'], /\. --limits \/0\/name: required\.$/m],
    [
      ['policies', 'update', 'steady', '--set', 'limits[0].max=0'],
      /^ {2}--set limits\[0\]\.\w+: .*$|\. --set limits\[0\]\.\w+: /m,
    ],
    [['policies', 'get', 'stedy'], /There is no policy "stedy"\. Did you mean "steady"\?$/m],
    [
      ['clients', 'create', '--name', 'N', '--policy', 'stedy'],
      /\. --policy: there is no policy "stedy"; did you mean "steady"\?$/m,
    ],
    [
      ['validate', document, '--offline'],
      /\. \S*document\.yaml:8 \/spec\/limits\/0\/windw: unknown member; did you mean window\?$/m,
    ],
    [['apply', document, '--yes'], /\. \S*document\.yaml:8 \/spec\/limits\/0\/windw: unknown member/],
  ]
  for (const [args, message] of cases) {
    const { code, err } = await postern(...args)
    assert.notEqual(code, 0, args.join(' '))
    assert.match(err, message, args.join(' '))
  }
  // A program gets the pointers as they came
  const { err } = await postern('policies', 'create', '-o', 'json')
  assert.deepEqual(JSON.parse(err).errors, [{ pointer: '/name', reason: 'required' }])
})

test('what a new client comes with and the key of the trail are shown so that a person can read them', async () => {
  const made = await postern('clients', 'create', '--name', 'Shown')
  assert.match(made.out, /^Token of Shown +pst_pk_\w+$/m)
  assert.match(made.out, /^profile +default$/m)
  assert.doesNotMatch(made.out, /profiles\[/)
  const { out } = await postern('audit', 'verify')
  assert.match(out, /^public_key +-----BEGIN PUBLIC KEY-----\n +[\w+/=]+\n +-----END PUBLIC KEY-----$/m)
})

test('a description is imported and published by one command', async () => {
  const file = join(files, 'shop.json')
  const operation = { responses: { 200: { description: 'ok' } } }
  writeFileSync(
    file,
    JSON.stringify({
      openapi: '3.1.0',
      info: { title: 'Shop', version: '1' },
      paths: { '/items': { get: operation }, '/items/{id}': { get: operation } },
    }),
  )
  const made = await postern(
    'openapi',
    'import',
    file,
    '--base-path',
    '/shop',
    '--upstream',
    'http://127.0.0.1:9',
    '--publish',
  )
  assert.equal(made.code, 0, made.err)
  assert.match(made.out, /^Collection shop at \/shop: 2 proxies, published\.$/m)
  // What it says to do next works as it stands
  const [, create] = /^Create a client that may call it: postern (.*)$/m.exec(made.out)!
  const [, url] = /^Then call it: curl -H "Authorization: Bearer \$TOKEN" '(.*)'$/m.exec(made.out)!
  const client = await postern(...create!.split(' '), '-o', 'json')
  assert.equal(client.code, 0, client.err)
  const { token } = JSON.parse(client.out).profiles[0]
  assert.equal(new URL(url!).pathname, '/shop/items')
  const path = new URL(url!).pathname
  assert.equal((await server.gateway('GET', path, { token })).json.code, 'upstream_unreachable')
  writeFileSync(file, 'openapi: 3.1.0: no')
  const broken = await postern(
    'openapi',
    'import',
    file,
    '--base-path',
    '/other',
    '--upstream',
    'http://127.0.0.1:9',
  )
  assert.equal(broken.code, 1)
  assert.match(broken.err, /document_invalid.*line 1/)
  assert.doesNotMatch(broken.err, /^ +: /m)
})

test('a call goes through the gateway with a given token, and prints status, headers on demand and the body', async (t) => {
  const upstream = await startUpstream()
  t.after(() => upstream.close())
  await works(
    ...[
      'collections',
      'create',
      '--name',
      'Called',
      '--slug',
      'called',
      '--base-path',
      '/called',
      '--status',
      'published',
    ],
    ...['--set', `upstream.targets[0].url=${upstream.url}`],
  )
  await works(
    ...[
      'proxies',
      'create',
      '--collection',
      'called',
      '--name',
      'All',
      '--methods',
      'GET',
      '--methods',
      'POST',
    ],
    ...['--path', '/things/{id}', '--status', 'published'],
  )
  const made = await postern(
    'clients',
    'create',
    '--name',
    'Caller',
    '--collections',
    'called',
    '--secret-only',
  )
  const token = join(files, 'token')
  writeFileSync(token, made.out)

  const got = await postern('call', 'GET', '/called/things/7?x=1', '--token-file', token)
  assert.deepEqual([got.code, got.err], [0, '200 OK\n'])
  const seen = JSON.parse(got.out)
  assert.deepEqual([seen.method, seen.url, seen.headers.authorization], ['GET', '/things/7?x=1', undefined])
  const posted = await postern(
    ...['call', 'POST', '/called/things/8', '--body', '{"a":1}', '--include', '--token-file', token],
  )
  assert.match(posted.err, /^200 OK\n[\s\S]*^x-request-id: req_\w+\n/m)
  assert.equal(JSON.parse(posted.out).body, '{"a":1}')
  const data = await postern('call', '/called/things/9', '--token-file', token, '-o', 'json')
  assert.equal(JSON.parse(data.out).body.url, '/things/9')
  const tools = await postern('call', '--tool', 'list_collections', '--token-file', token)
  assert.equal(tools.code, 0, tools.err)
  assert.match(tools.out, /called/)
  assert.equal((await postern('call', '--tool', 'nothing', '--token-file', token)).code, 1)

  // The sign-in of the command line is an administrator of the management API, and no caller
  const refused = await postern('call', 'GET', '/called/things/7')
  assert.equal(refused.code, 1)
  assert.match(refused.err, /^401 Unauthorized\n.*The call had no token\. Give the token of a profile/s)
  assert.equal((await postern('call', 'called/things')).code, 2)

  const id = /^x-request-id: (req_\w+)$/m.exec(posted.err)![1]!
  await eventually(async () => (await postern('records', 'get', id)).code === 0)
  const explained = await postern('explain', '--request-id', id)
  assert.equal(explained.code, 0, explained.err)
  assert.match(explained.out, /^ {2}\* called:all {2}GET,POST \/called\/things\/\{id\}: /m)
  assert.match(explained.out, /checks? pass(es)?.*: --long shows them\.\n$/)
  const lines = (text: string): number => text.trimEnd().split('\n').length
  assert.ok(lines(explained.out) <= 10, explained.out)
  const long = await postern('explain', '--request-id', id, '--long')
  assert.ok(lines(long.out) > 20, long.out)

  const followed = await postern('records', 'list', '--follow', '--from', '1h')
  assert.deepEqual([followed.code, followed.out], [2, ''])
  assert.match(followed.err, /--from cannot be used with --follow/)
})

test('a starter configuration is valid, is applied, and says how to go on', async (t) => {
  const fresh = await startTestServer()
  t.after(() => fresh.stop())
  const run = (...args: string[]) => runCommand(fresh.data, args)
  const [directory, values] = [join(files, 'starter'), join(files, 'starter-variables.yaml')]
  const made = await run('init', directory)
  assert.equal(made.code, 0, made.err)
  assert.match(made.err, /postern apply \S*starter --var-file \S*starter-variables\.yaml/)
  const again = await run('init', directory)
  assert.equal(again.code, 2)
  assert.match(again.err, /api\.yaml exists already\. Name another directory, or add --force/)
  for (const [name, ...flags] of [
    ['validate', '--offline'],
    ['plan'],
    ['apply', '--yes'],
    ['diff'],
  ] as const) {
    const ran = await run(name, directory, '--var-file', values, ...flags)
    assert.equal(ran.code, 0, ran.err)
  }
  // As a comment of the starter says
  const token = await run('profiles', 'rotate', 'first-app:default', '--secret-only')
  assert.match(token.out, /^pst_pk_\w+\n$/, token.err)
})

test('what was exported and the instance are in step, and an apply says what it takes over and where', async () => {
  await works('policies', 'create', '--name', 'Kept', '--slug', 'kept')
  const directory = join(files, 'exported')
  assert.equal((await postern('export', '--out', directory)).code, 0)
  const diff = await postern('diff', directory)
  assert.equal(diff.code, 0, diff.err)
  assert.match(diff.out, /^The documents and the instance match\.$/m)

  const one = join(directory, 'policy/kept.yaml')
  const ask = async (question: string): Promise<string> => {
    asked += question
    return 'no'
  }
  let asked = ''
  const refused = await runCommand(server.data, ['apply', one], { interactive: true, ask })
  assert.equal(refused.code, 2)
  assert.equal(asked, `Apply this to ${server.running.controlUrl}? Type yes: `)
  assert.match(
    refused.err,
    /^policy\/kept is not managed by documents\. Applying takes it over: "kept" manages it from then on, and --prune deletes it /m,
  )
  assert.equal((await postern('apply', one, '--yes')).code, 0)
  const elsewhere = await postern('apply', one, '--name', 'other', '--yes')
  assert.match(elsewhere.err, /take it over \(--take-over\), or apply as that set \(--name\)/)
  const taken = await postern('apply', one, '--name', 'other', '--yes', '--take-over')
  assert.match(taken.err, /^policy\/kept is managed by "kept"\. .*"kept" can no longer change it\.$/m)
  assert.equal((await postern('diff', one)).code, 0)
  writeFileSync(one, 'kind: policy\nslug: kept\nspec: { name: Other }\n')
  assert.equal((await postern('diff', one, '--name', 'other')).code, 3)

  asked = ''
  await runCommand(server.data, ['policies', 'delete', 'kept'], { interactive: true, ask })
  assert.match(asked, new RegExp(`Type kept to delete policies kept at ${server.running.controlUrl}: $`))
})

test('the document of the management API is one that the gateway itself can import', async () => {
  const file = join(files, 'management.json')
  const document = await fetch(`${server.running.controlUrl}/management/openapi.json`)
  writeFileSync(file, await document.text())
  const made = await postern(
    ...['openapi', 'import', file, '--base-path', '/self', '--upstream', 'http://127.0.0.1:9', '-o', 'json'],
  )
  assert.equal(made.code, 0, made.err)
  const { proxies, warnings } = JSON.parse(made.out) as { proxies: number; warnings: { pointer: string }[] }
  assert.equal(proxies, OPERATIONS.length)
  assert.deepEqual(
    warnings.map((warning) => warning.pointer),
    ['/security'],
  )
})

test('every list of the registry answers over REST what its schema says', async () => {
  const made = await server.manage('POST', '/users', { name: 'Listed', slug: 'listed' })
  assert.equal(made.status, 201, made.text)
  for (const operation of OPERATIONS.filter((one) => one.action === 'list')) {
    const { limit, user } = operation.input.shape
    const query = new URLSearchParams({
      ...(limit === undefined ? {} : { limit: '2' }),
      // The administrator of this server is no user
      ...(user === undefined || operation.resource === 'personal_tokens' ? {} : { user: 'listed' }),
    })
    const reply = await server.manage('GET', `/${operation.resource}?${query}`)
    assert.equal(reply.status, 200, reply.text)
    assert.ok(operation.output.safeParse(reply.json).success, `${operation.resource}: ${reply.text}`)
  }
  const wrong = await server.manage('GET', '/records?limit=2&colour=red')
  assert.equal(wrong.status, 400)
})

test('paths of the API, whether they exist or not, refuse nobody and a foreign token with a challenge', async () => {
  const paths = ['/collections', '/collections/x', '/collections/import', '/audit', '/nothing', '/']
  for (const path of paths)
    for (const token of [undefined, 'pst_at_foreign'])
      for (const base of [server.running.controlUrl, server.running.gatewayUrl]) {
        const reply = await fetch(`${base}/management/v1${path}`, {
          ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
        })
        assert.equal(reply.status, 401, `${base} ${path}: ${await reply.text()}`)
        const challenge = reply.headers.get('www-authenticate') ?? ''
        const named = /resource_metadata="([^"]+)"/.exec(challenge)?.[1] ?? ''
        assert.match(named, /\/\.well-known\/oauth-protected-resource\/management\/v1$/)
        assert.equal(challenge.includes('invalid_token'), token !== undefined)
        assert.match(reply.headers.get('x-request-id') ?? '', /^req_/)
        assert.equal(reply.headers.get('content-type'), 'application/problem+json')
      }
})
