import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { refused, startControl } from '../../../test/control.ts'
import { judged, specOf } from '../../../test/support/converted.ts'
import { fuzzCases } from '../../../test/support/long.ts'
import { NO_TEXT, withEachReplaced, withReplaced } from '../../../test/support/replaced.ts'
import type { Plain } from '../../base/json/storable.ts'
import { fillArguments } from '../../runner/command-line.ts'
import { RunnerFileSchema } from '../../runner/file-schema.ts'
import type { Converted } from '../converted.ts'
import { clientFileIn } from './files.ts'
import { fromMcpServers, type ServersAs } from './servers.ts'

const remote = (headers: Plain = {}, url = 'https://mcp.example.com/v1/mcp'): Plain => ({ url, headers })

const SERVERS = {
  'Issue Tracker': {
    type: 'streamable-http',
    url: 'https://tracker.example.com/v1/mcp/',
    headers: { Authorization: 'Bearer PLANTED-SECRET', 'X-Toolsets': 'read', Accept: 'application/json' },
    alwaysAllow: ['search'],
  },
  asked: remote({ 'X-API-Key': '$\u007binput:tracker-key}' }),
  environment: remote({ authorization: 'Token $\u007benv:TRACKER}', 'X-Session': 'PLANTED-OTHER' }),
  query: { serverUrl: 'https://q.example.com/%6dcp%2fx?api_key=PLANTED-QUERY' },
  open: { httpUrl: 'http://localhost:3000/', disabled: true },
  bridged: {
    command: 'npx',
    args: ['-y', 'mcp-remote@0.1', 'https://b.example.com/mcp', '--header', 'Authorization:$\u007bAUTH}'],
    env: { AUTH: 'Bearer PLANTED-ENV' },
  },
  files: { command: 'npx', args: ['-y', 'server-files', '/data'] },
  old: { type: 'sse', url: 'https://old.example.com/sse' },
  older: { url: 'https://old.example.com/sse' },
}

const converted = (servers: Plain, as: ServersAs = 'collections'): Converted =>
  judged(fromMcpServers(servers, as))

const authOf = (made: Converted, slug: string): unknown => specOf(made, 'credential', slug)['auth']

test('each server becomes a collection with one endpoint that streams', () => {
  const made = converted(SERVERS)
  const tracker = specOf(made, 'collection', 'issue-tracker')
  assert.deepEqual(tracker, {
    name: 'Issue Tracker',
    base_path: '/issue-tracker',
    upstream: { targets: [{ url: 'https://tracker.example.com' }], pool_max: 1024 },
    headers: [{ name: 'X-Toolsets', value: 'read' }],
    credential: 'issue-tracker',
    status: 'published',
  })
  const endpoints = made.documents.filter(({ kind }) => kind === 'proxy').map(({ spec }) => spec)
  assert.deepEqual(
    endpoints.map((spec) => [spec['collection'], spec['target_path'], spec['status']]),
    [
      ['issue-tracker', '/v1/mcp/', 'published'],
      ['asked', '/v1/mcp', 'published'],
      ['environment', '/v1/mcp', 'published'],
      ['query', '/mcp%2Fx', 'published'],
      ['open', '/', 'draft'],
      ['bridged', '/mcp', 'published'],
    ],
  )
  const { methods, path, streaming, timeouts } = endpoints[0]!
  assert.deepEqual(
    [methods, path, streaming, timeouts],
    [['GET', 'POST', 'DELETE'], '/mcp', 'always', { first_byte: '5m', idle: '1h' }],
  )
})

test('each server becomes an origin with a virtual MCP of its own', () => {
  const made = converted(SERVERS, 'origins')
  assert.deepEqual(specOf(made, 'origin', 'issue-tracker'), {
    name: 'Issue Tracker',
    url: 'https://tracker.example.com/v1/mcp/',
    credential: 'issue-tracker',
  })
  assert.deepEqual(
    made.documents
      .filter(({ kind }) => kind === 'virtual_mcp')
      .map(({ slug, spec }) => [slug, spec['members'], spec['status']]),
    [
      ['issue-tracker', 'draft'],
      ['asked', 'published'],
      ['environment', 'published'],
      ['query', 'published'],
      ['open', 'draft'],
      ['bridged', 'published'],
      ['files', 'published'],
      ['old', 'published'],
      ['older', 'published'],
    ].map(([slug, status]) => [slug, [{ origin: slug }], status]),
  )
  assert.equal(specOf(made, 'origin', 'open')['active'], false)
  assert.equal(specOf(made, 'origin', 'query')['url'], 'https://q.example.com/mcp%2Fx')
  assert.deepEqual(authOf(made, 'issue-tracker'), { type: 'bearer', token: { env: 'SECRET_ISSUE_TRACKER' } })
  const notes = made.notes.join('\n')
  assert.match(notes, /server Issue Tracker becomes a draft, .* Left out: X-Toolsets/)
  assert.match(notes, /server files is a program: add the entry files to the file of postern runner/)
  assert.match(notes, /npx starts the newest version/)
  assert.deepEqual(specOf(made, 'origin', 'files'), {
    name: 'files',
    kind: 'stdio',
    entry: 'files',
    active: false,
  })
  assert.doesNotMatch(JSON.stringify(made), /PLANTED/)
})

test('what proves the caller is read from an external source, and no literal of it is told', () => {
  const made = converted(SERVERS)
  assert.deepEqual(authOf(made, 'issue-tracker'), {
    type: 'bearer',
    token: { env: 'SECRET_ISSUE_TRACKER' },
  })
  assert.deepEqual(authOf(made, 'asked'), {
    type: 'api_key',
    key: { env: 'SECRET_TRACKER_KEY' },
    in: 'header',
    name: 'X-API-Key',
    prefix: '',
  })
  assert.deepEqual(authOf(made, 'environment'), {
    type: 'api_key',
    key: { env: 'SECRET_TRACKER' },
    in: 'header',
    name: 'authorization',
    prefix: 'Token ',
  })
  assert.deepEqual(authOf(made, 'query'), {
    type: 'api_key',
    key: { env: 'SECRET_QUERY' },
    in: 'query',
    name: 'api_key',
    prefix: '',
  })
  assert.deepEqual(authOf(made, 'bridged'), { type: 'bearer', token: { env: 'SECRET_BRIDGED' } })
  assert.doesNotMatch(JSON.stringify(made), /PLANTED/)
})

test('one variable stands for one secret', () => {
  const made = converted({
    a: remote({ Authorization: 'Bearer $\u007bX}' }),
    b: remote({ Authorization: 'Bearer $\u007benv:X}' }),
    x: remote({ Authorization: 'Bearer literal' }),
    c: remote({ Authorization: 'Bearer $\u007binput:x}' }),
    d: remote({ Authorization: 'Bearer $\u007bSECRET_D:-preset}' }),
  })
  const names = ['a', 'b', 'x', 'c', 'd'].map((slug) => (authOf(made, slug) as Plain)['token'])
  assert.deepEqual(
    names.map((one) => (one as Plain)['env']),
    ['SECRET_X', 'SECRET_X', 'SECRET_X_2', 'SECRET_X_3', 'SECRET_D'],
  )
})

test('what is not taken over is said with the reason', () => {
  const notes = converted(SERVERS).notes.join('\n')
  for (const part of [
    /server files is left out: it is a program that its client starts \(stdio\)/,
    /server old is left out: it speaks HTTP with SSE/,
    /server older is left out: it speaks HTTP with SSE/,
    /server Issue Tracker: these members are not converted: alwaysAllow/,
    /header Accept of server Issue Tracker is left to its callers/,
    /server Issue Tracker: .* Authorization from the environment variable SECRET_ISSUE_TRACKER\. Set it to the text after Bearer in the file/,
    /Set it to the value that the MCP client asks for as "tracker-key"/,
    /Set it to the value of TRACKER/,
    /X-Session of server environment is left out: it may be a secret/,
    /server bridged was reached through mcp-remote/,
    /server open has a loopback URL: Postern looks for the server on its own machine/,
    /^these servers get no credential: open\. .* answers 401/m,
  ])
    assert.match(notes, part)
})

test('a path that may hold a secret is pointed at, and not repeated', () => {
  const { notes } = converted({ hooked: remote({}, 'https://mcp.example.com/s/a1b2c3d4e5f6a7b8c9/mcp') })
  assert.ok(notes.some((note) => note.startsWith('the path of server hooked may contain a secret')))
  assert.doesNotMatch(notes.join(), /a1b2c3/)
  assert.doesNotMatch(converted({ plain: remote() }).notes.join(), /the path of/)
})

test('an address that must not be asked, or cannot be, is left out with the reason', () => {
  for (const [url, reason] of [
    ['http://169.254.169.254/latest/meta-data', /link-local/],
    ['http://[fe80::1]/mcp', /link-local/],
    ['http://0x7f.1.1.1.1/mcp', /no http:\/\/ or https:\/\/ URL/],
    ['http://2852039166/mcp', /link-local/],
    ['https://user:PLANTED@example.com/mcp', /a user or a password/],
    ['https://PLANTED@example.com/mcp', /a user or a password/],
    ['file:///etc/passwd', /no http:\/\/ or https:\/\/ URL/],
    ['javascript:alert(1)', /no http:\/\/ or https:\/\/ URL/],
    ['', /no http:\/\/ or https:\/\/ URL/],
    ['https://$\u007benv:HOST}/mcp', /a placeholder/],
    ['https://a.example/mcp?a=PLANTED&b=2', /several query parameters/],
    ['https://a.example//mcp', /no plain path/],
    ['https://a.example/*', /no plain path/],
  ] as const) {
    const { documents, notes } = converted({ s: { url } })
    assert.deepEqual(documents, [], url)
    assert.match(notes.join('\n'), reason, url)
    assert.doesNotMatch(notes.join('\n'), /PLANTED/)
  }
})

test('names that are reserved, equal or mean something to the language are names like others', () => {
  const names = ['mcp', 'console', 'A b', 'a-b', '__proto__', 'constructor', 'toString', '', '\ud800', '☃']
  const servers = JSON.parse(`{${names.map((name) => `${JSON.stringify(name)}:{"url":"http://a"}`).join()}}`)
  const { documents } = converted(servers)
  assert.deepEqual(
    documents.filter(({ kind }) => kind === 'collection').map(({ slug }) => slug),
    [
      ...['mcp-server', 'console-server', 'a-b', 'a-b-2', 'proto', 'constructor', 'tostring'],
      ...['without-a-name', 'mcp-server-2', 'mcp-server-3'],
    ],
  )
  const env = JSON.parse('{"__proto__":"Bearer x"}')
  const args = ['mcp-remote', 'https://a/mcp', '--header', 'X-Own:$\u007bconstructor}']
  const made = converted({ s: { command: 'npx', args, env } })
  assert.deepEqual(authOf(made, 's'), {
    type: 'api_key',
    key: { env: 'SECRET_constructor' },
    in: 'header',
    name: 'X-Own',
    prefix: '',
  })
})

test('with any one part replaced by anything it becomes documents and notes without a secret', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.webUrl({ withQueryParameters: true }), fc.string()),
      fc.nat(),
      (value, seed) => {
        for (const as of ['origins', 'collections'] as const) {
          const made = converted(withReplaced(SERVERS, value, seed) as Plain, as)
          assert.doesNotMatch(JSON.stringify(made), /PLANTED/)
        }
      },
    ),
    { numRuns: 60 },
  )
  for (const changed of withEachReplaced(SERVERS, NO_TEXT)) {
    converted(changed as Plain)
    converted(changed as Plain, 'origins')
  }
})

test('whatever stands as URL and header becomes documents that are valid, or a note', () => {
  const url = fc
    .tuple(
      fc.constantFrom('http://', 'https://', 'HTTPS:/', '', 'ftp://'),
      fc.string({ unit: 'grapheme', maxLength: 30 }),
    )
    .map((parts) => parts.join(''))
  fc.assert(
    fc.property(url, fc.dictionary(fc.string({ maxLength: 9 }), fc.string()), (address, headers) => {
      for (const as of ['origins', 'collections'] as const) {
        const { documents, notes } = converted({ s: remote(headers, address) }, as)
        assert.ok(documents.length > 0 || notes.length > 0)
      }
    }),
    { numRuns: 500 },
  )
})

test('a server of which its client leaves out tools is a draft, and only what is carried over exactly is exact', () => {
  for (const member of ['includeTools', 'excludeTools', 'disabledTools', 'tools']) {
    const made = converted({ s: { ...remote({}), [member]: ['search'] } })
    assert.equal(specOf(made, 'collection', 's')['status'], 'draft', member)
    assert.equal(made.exact, false)
    assert.ok(made.notes.some((note) => note.includes(member)))
  }
  assert.equal(converted({ s: remote({}) }).exact, true)
  assert.equal(converted({ s: { command: 'npx' } }).exact, false)
})

test('many servers, headers and members are bounded', () => {
  const many = (count: number, value: unknown): Plain =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`n${at}`, value]))
  assert.throws(() => fromMcpServers(many(1001, {}), 'origins'), { code: 'document_invalid' })
  const made = converted({ s: { ...remote(many(20_000, 'v')), ...many(20_000, 1) } })
  assert.equal((specOf(made, 'collection', 's')['headers'] as unknown[]).length, 50)
  assert.equal(made.notes.length, 3)
})

test('what comes out is applied as it is', async () => {
  const control = await startControl()
  try {
    const { output } = await control.run(
      'config.convert',
      { document: JSON.stringify({ mcpServers: SERVERS }) },
      { role: 'viewer' },
    )
    const { documents } = output as { documents: object[] }
    const applied = await control.run('config.apply', { documents, managed_by: 'mcp' })
    assert.equal(applied.output['create'], documents.length)
    const { output: plan } = await control.run('config.plan', { documents, managed_by: 'mcp' })
    assert.equal(plan['unchanged'], documents.length)
    const inner = { mcp: { servers: SERVERS } }
    assert.deepEqual((await control.run('config.convert', { document: inner })).output, output)
    await refused(control.run('config.convert', { document: { mcpServers: [] } }), 'document_invalid')
  } finally {
    await control.close()
  }
  assert.equal(clientFileIn({ servers: [{ url: 'https://a' }] }), null)
})

const PATHS = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/var/lib/postern-runner' }

test('a program becomes an entry of the runner; what may be a secret is read from a file', () => {
  const made = judged(
    fromMcpServers(
      {
        Memory: {
          command: '/opt/memory/bin/server',
          args: ['--root=/srv/data', '{}', '-v'],
          env: { LEVEL: 'info', API_TOKEN: 'PLANTED', OTHER: '$\u007binput:x}', DSN: 'db://u:PLANTED@h/x' },
          cwd: '/srv',
        },
        off: { command: 'uvx', args: ['server-time==2.1.0'], disabled: true },
        chosen: { command: 'node', args: ['/opt/a.js'], includeTools: ['a'] },
      },
      'origins',
      true,
    ),
  )
  const secret = (name: string) => ({ file: `/etc/postern/secrets/memory/${name}` })
  assert.deepEqual(made.runner, {
    memory: {
      program: '/opt/memory/bin/server',
      args: ['--root=/srv/data', '{}', '-v'],
      env: {
        ...PATHS,
        LEVEL: 'info',
        API_TOKEN: secret('API_TOKEN'),
        OTHER: secret('OTHER'),
        DSN: secret('DSN'),
      },
      cwd: '/srv',
    },
    off: { program: '/usr/bin/uvx', args: ['server-time==2.1.0'], env: PATHS },
    chosen: { program: '/usr/bin/node', args: ['/opt/a.js'], env: PATHS },
  })
  assert.deepEqual(
    ['memory', 'off', 'chosen'].map((slug) => [
      specOf(made, 'origin', slug)['active'],
      specOf(made, 'virtual_mcp', slug)['status'],
    ]),
    [
      [undefined, 'published'],
      [false, 'draft'],
      [undefined, 'draft'],
    ],
  )
  assert.doesNotMatch(JSON.stringify(made), /PLANTED/)
  assert.equal(made.exact, false)
  assert.equal(fromMcpServers({ a: { command: 'node', args: ['/opt/a.js'] } }, 'origins').exact, true)
})

test('a program whose arguments may hold a secret, or are to be filled in, is left out, and no value is told', () => {
  const wrong: readonly (readonly [Plain, RegExp])[] = [
    [{ command: 'node', args: ['--api-key', 'PLANTED'] }, /argument 2 may be a secret/],
    [{ command: 'node', args: ['--token=PLANTED'] }, /argument 1 may be a secret/],
    [{ command: 'npx', args: ['a@1.0.0', 'postgres://u:PLANTED@h/d'] }, /argument 2 may be a secret/],
    [{ command: 'node', args: ['PLANTED0123456789abcdefghij'] }, /argument 1 may be a secret/],
    [{ command: 'node', args: ['$\u007bworkspaceFolder}'] }, /argument 1 contains a placeholder/],
    [{ command: 'node', args: ['{project}'] }, /argument 1 contains a placeholder/],
    [{ command: 'node', args: [{}] }, /its args are no list of texts/],
    [{ command: './server' }, /its command is neither/],
    [{ command: 'sh -c x' }, /its command is neither/],
    [{ command: 'node', env: { 'A B': 'x' } }, /a name that no variable may have/],
    [{ command: 'node', env: { A: {} } }, /its variable A is not text/],
  ]
  for (const [server, reason] of wrong) {
    const made = fromMcpServers({ s: server }, 'origins', true)
    assert.deepEqual([made.documents, made.runner, made.exact], [[], {}, false], JSON.stringify(server))
    assert.match(made.notes.join('\n'), reason)
    assert.doesNotMatch(JSON.stringify(made), /PLANTED/)
  }
})

test('the runner takes each entry that is made, whatever the server says', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('{a}', '-y', 'a@1.0.0', '$\u007bx}'))
  const server = fc.record(
    {
      command: fc.oneof(text, fc.constantFrom('node', 'npx', '/bin/cat')),
      args: fc.oneof(fc.array(text, { maxLength: 5 }), fc.anything()),
      env: fc.oneof(fc.dictionary(text, text), fc.anything()),
      cwd: text,
    },
    { requiredKeys: ['command'] },
  )
  fc.assert(
    fc.property(server, (given) => {
      const made = judged(fromMcpServers({ s: given }, 'origins', true))
      for (const entry of Object.values(made.runner ?? {})) {
        const file = RunnerFileSchema.safeParse({ listen: { socket: '/run/x' }, entries: { entry } })
        assert.ok(file.success, JSON.stringify([given, file.error?.issues]))
        const read = file.data.entries['entry']!
        assert.deepEqual(fillArguments(read, {}), { args: read.args })
      }
    }),
    { numRuns: fuzzCases(500) },
  )
})
