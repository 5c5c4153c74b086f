import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { refused, startControl } from '../../../test/control.ts'
import { anyJson } from '../../../test/support/any-json.ts'
import { judged, specOf } from '../../../test/support/converted.ts'
import { NO_TEXT, withEachReplaced, withReplaced } from '../../../test/support/replaced.ts'
import type { Plain } from '../../base/json/storable.ts'
import { createEgress, destinationOf, NO_LISTENER } from '../../base/net/egress.ts'
import { fromConfiguration } from '../configurations.ts'
import type { Converted } from '../converted.ts'

const SCHEMA = 'https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json'
const egress = createEgress(NO_LISTENER)

const convert = (document: Plain, values: Readonly<Record<string, string>> = {}): Converted =>
  judged(
    fromConfiguration(document, {
      servers: 'origins',
      values,
      urlFault: (url) => egress.faultOf(destinationOf(url, 'discovered')),
    }),
  )

const entry = (more: Plain): Plain => ({
  $schema: SCHEMA,
  name: 'com.example/weather',
  title: 'Weather',
  description: 'Forecasts',
  version: '1.2.3',
  ...more,
})

const remote = (more: Plain = {}): Plain => ({
  type: 'streamable-http',
  url: 'https://mcp.example.com/mcp',
  ...more,
})
const token = { name: 'Authorization', value: 'Bearer {token}', variables: { token: { isSecret: true } } }
const npm = (more: Plain = {}): Plain => ({
  registryType: 'npm',
  identifier: '@example/weather',
  version: '1.2.3',
  transport: { type: 'stdio' },
  ...more,
})
const notesOf = (document: Plain, values = {}): string => convert(document, values).notes.join('\n')

test('a remote becomes an origin that is switched off, a draft, and a credential that is read from an external source', () => {
  const made = convert(entry({ remotes: [remote({ headers: [token] })] }))
  assert.deepEqual(made.documents, [
    {
      kind: 'credential',
      slug: 'weather',
      spec: { name: 'Weather', auth: { type: 'bearer', token: { env: 'SECRET_WEATHER' } } },
    },
    {
      kind: 'origin',
      slug: 'weather',
      spec: {
        name: 'Weather',
        description: 'Forecasts',
        url: 'https://mcp.example.com/mcp',
        credential: 'weather',
        active: false,
      },
    },
    {
      kind: 'virtual_mcp',
      slug: 'weather',
      spec: { name: 'Weather', members: [{ origin: 'weather' }], status: 'draft' },
    },
  ])
  assert.equal(made.exact, true)
  assert.match(made.notes.join('\n'), /SECRET_WEATHER\. Set it to the value that the entry calls token/)
})

test('variables are filled in from values and defaults, and those that are missing are named', () => {
  const url = 'https://{tenant}.example.com/{region}/mcp?v={version}'
  const variables = {
    tenant: { isRequired: true, description: 'Name of your\naccount' },
    region: { default: 'eu', choices: ['eu', 'us'] },
    version: { default: 'a b' },
  }
  const document = entry({ remotes: [remote({ url, variables })] })
  assert.equal(
    specOf(convert(document, { tenant: 'acme' }), 'origin', 'weather')['url'],
    'https://acme.example.com/eu/mcp?v=a%20b',
  )
  assert.equal(
    specOf(convert(document, { tenant: 'acme', region: 'us' }), 'origin', 'weather')['url'],
    'https://acme.example.com/us/mcp?v=a%20b',
  )
  assert.deepEqual(convert(document).documents, [])
  assert.match(notesOf(document), /needs a value for tenant \(Name of your account\)/)
  assert.match(notesOf(document, { tenant: 'acme', region: 'asia' }), /region may have: eu, us/)
})

test('a value stays in its part of the URL', () => {
  const document = (url: string): Plain => entry({ remotes: [remote({ url })] })
  const [host, path] = ['https://{x}.example.com/mcp', 'https://a.example.com/{x}/mcp']
  for (const value of ['evil.example/', 'a@evil.example', 'a:1', 'a?b', 'a\\b', 'a\nb', ''])
    assert.deepEqual(convert(document(host), { x: value }).documents, [], value)
  for (const [value, own] of [
    ['../admin', '..%2Fadmin'],
    ['a?b#c', 'a%3Fb%23c'],
  ] as const)
    assert.equal(
      specOf(convert(document(path), { x: value }), 'origin', 'weather')['url'],
      `https://a.example.com/${own}/mcp`,
    )
  for (const value of ['..', '.', '\u0000'])
    assert.deepEqual(convert(document(path), { x: value }).documents, [], value)
})

test('an entry names no place inside', () => {
  for (const url of [
    'http://127.0.0.1/mcp',
    'http://localhost:8080/mcp',
    'https://[::1]/mcp',
    'https://10.0.0.8/mcp',
    'https://[fd00::1]/mcp',
    'http://169.254.169.254/latest',
    'https://2130706433/mcp',
    'https://user:pass@example.com/mcp',
    'ftp://example.com/mcp',
    'https://example.com/mcp#x',
    'javascript:alert(1)',
  ]) {
    const { documents, notes, exact } = convert(entry({ remotes: [remote({ url })] }))
    assert.deepEqual([documents, exact], [[], false], url)
    assert.match(notes.join('\n'), /server Weather is left out: its remote has /)
  }
})

test('Streamable HTTP comes before SSE, and a remote that lacks a value gives way to the next', () => {
  const remotes = [
    remote({ type: 'sse', url: 'https://a.example/sse' }),
    remote({ url: 'https://b.example/mcp' }),
  ]
  const made = convert(entry({ remotes }))
  assert.equal(specOf(made, 'origin', 'weather')['url'], 'https://b.example/mcp')
  assert.match(made.notes.join(), /further remotes, which are left out/)
  const [sse] = remotes
  const next = convert(entry({ remotes: [remote({ url: 'https://{x}.example/' }), sse] }))
  assert.equal(specOf(next, 'origin', 'weather')['url'], 'https://a.example/sse')
})

test('what is a secret never becomes text, wherever it stands', () => {
  const secrets: readonly Plain[] = [
    { headers: [{ name: 'X-Key', isSecret: true, isRequired: true, default: 'PLANTED' }] },
    { headers: [{ name: 'X-Key', isSecret: true, value: 'PLANTED' }] },
    {
      headers: [
        { name: 'X-Key', isSecret: true, value: 'Key {k}', variables: { k: { default: 'PLANTED' } } },
      ],
    },
    { headers: [{ name: 'Authorization', value: 'Bearer PLANTED-0123456789' }] },
    { headers: [{ name: 'X-Key', value: '{k}', variables: { k: { isSecret: true, value: 'PLANTED' } } }] },
    {
      url: 'https://mcp.example.com/mcp?a=1&key={k}',
      variables: { k: { isSecret: true, value: 'PLANTED' } },
    },
  ]
  for (const more of secrets) {
    const made = convert(entry({ remotes: [remote(more)] }), { k: 'PLANTED', 'X-Key': 'PLANTED' })
    const { auth } = specOf(made, 'credential', 'weather') as { readonly auth: Plain }
    assert.deepEqual(auth['key'], { env: 'SECRET_WEATHER' }, JSON.stringify(more))
    assert.doesNotMatch(JSON.stringify(made), /PLANTED/)
  }
  const { auth } = specOf(convert(entry({ remotes: [remote(secrets[5])] })), 'credential', 'weather') as {
    readonly auth: Plain
  }
  assert.deepEqual([auth['in'], auth['name']], ['query', 'key'])
  const inPath = remote({ url: 'https://a.example/{k}/mcp', variables: { k: { isSecret: true } } })
  assert.match(notesOf(entry({ remotes: [inPath] })), /has the secret k in the middle/)
})

test('headers that an origin does not send are named', () => {
  const headers = [
    token,
    { name: 'X-Tenant', value: 'acme' },
    { name: 'X-Other', isSecret: true },
    { name: 'X-Maybe' },
    { name: 'Host', value: 'evil.example' },
    { name: 'Accept', value: 'text/html' },
    7,
  ]
  const { notes, exact } = convert(entry({ remotes: [remote({ headers })] }))
  const text = notes.join('\n')
  assert.equal(exact, false)
  for (const part of [
    /header X-Tenant is left out: an origin sends only the header of its credential/,
    /X-Other is left out: an origin sends one credential/,
    /header X-Maybe is optional/,
    /belongs to the gateway/,
  ])
    assert.match(text, part)
  assert.doesNotMatch(text, /Accept/)
})

test('a package becomes an entry of the runner, with one exact version and its secrets in files', () => {
  const made = convert(
    entry({
      packages: [
        npm({
          runtimeArguments: [{ type: 'named', name: '--node-options', value: '--require=./x' }],
          packageArguments: [
            { type: 'positional', valueHint: 'directory', isRequired: true },
            { type: 'named', name: '--units', default: 'metric' },
            { type: 'named', name: '--verbose', format: 'boolean', default: 'true' },
            { type: 'named', name: '--quiet', format: 'boolean', default: 'false' },
            { type: 'named', name: '--city' },
          ],
          environmentVariables: [
            { name: 'WEATHER_KEY', isSecret: true, isRequired: true },
            { name: 'WEATHER_HOST', default: 'api.example.com' },
            { name: 'LD_PRELOAD', value: './x.so' },
            { name: 'PATH', value: '/tmp' },
          ],
        }),
      ],
    }),
    { directory: '/srv/data; rm -rf /' },
  )
  assert.deepEqual(made.runner, {
    weather: {
      program: '/usr/bin/npx',
      args: ['-y', '@example/weather@1.2.3', '/srv/data; rm -rf /', '--units', 'metric', '--verbose'],
      env: {
        PATH: '/usr/local/bin:/usr/bin:/bin',
        HOME: '/var/lib/postern-runner',
        WEATHER_KEY: { file: '/etc/postern/secrets/weather/WEATHER_KEY' },
        WEATHER_HOST: 'api.example.com',
      },
    },
  })
  const { kind, entry: named, active, url } = specOf(made, 'origin', 'weather')
  assert.deepEqual([kind, named, active, url], ['stdio', 'weather', false, undefined])
  const text = made.notes.join('\n')
  for (const part of [
    /arguments for \/usr\/bin\/npx are left out/,
    /variable LD_PRELOAD is left out/,
    /variable PATH is left out/,
    /write the secret there/,
    /argument city is optional/,
    /server Weather is a program: add the entry weather to the file of postern runner/,
  ])
    assert.match(text, part)
})

test('packages without an exact version, and those that cannot be started, are left out with the reason', () => {
  for (const [more, reason] of [
    [{ version: 'latest' }, /no exact version/],
    [{ version: '^1.0.0' }, /no exact version/],
    [{ version: undefined }, /no exact version/],
    [{ identifier: 'https://evil.example/x.tgz' }, /no exact version/],
    [{ identifier: '--call=evil' }, /no exact version/],
    [{ registryBaseUrl: 'https://evil.example' }, /usual registry/],
    [{ registryType: 'mcpb' }, /unknown registry/],
    [{ registryType: '__proto__' }, /unknown registry/],
    [{ transport: { type: 'streamable-http', url: 'http://localhost:1/' } }, /serves HTTP itself/],
    [{ environmentVariables: [{ name: 'A-B' }] }, /without a name/],
    [{ environmentVariables: [{ name: 'A', isRequired: true }] }, /needs a value for A/],
    [{ packageArguments: [{ type: 'named', name: '; rm' }] }, /flag without a name/],
    [{ packageArguments: [{ type: 'positional', value: '{{x}', variables: {} }] }, /needs a value for x/],
    [{ packageArguments: [{ type: 'positional', default: '{x}' }] }, /braces/],
    [
      { packageArguments: [{ type: 'named', name: '--key', isSecret: true, isRequired: true }] },
      /all programs/,
    ],
  ] as const) {
    const { documents, runner, notes, exact } = convert(entry({ packages: [npm(more)] }))
    assert.deepEqual([documents, runner, exact], [[], {}, false], JSON.stringify(more))
    assert.match(notes.join('\n'), reason)
  }
})

test('packages of PyPI and images have their own way to be exact', () => {
  const made = (more: Plain): Plain | undefined =>
    convert(entry({ packages: [npm(more)] })).runner?.['weather'] as Plain | undefined
  const pypi = { registryType: 'pypi', identifier: 'weather-mcp' }
  assert.deepEqual(made({ ...pypi, version: '1.0rc1' })?.['args'], ['weather-mcp==1.0rc1'])
  assert.equal(made({ ...pypi, version: '>=1' }), undefined)
  const image = (identifier: string, version?: string): unknown =>
    made({
      ...{ registryType: 'oci', identifier, version },
      environmentVariables: [{ name: 'KEY', isSecret: true, isRequired: true }],
    })?.['args']
  const first = ['run', '--rm', '-i', '-e', 'KEY']
  assert.deepEqual(image('ghcr.io/example/weather:1.0.0'), [...first, 'ghcr.io/example/weather:1.0.0'])
  assert.deepEqual(image('ghcr.io/example/weather', '1.0.0'), [...first, 'ghcr.io/example/weather:1.0.0'])
  const digest = `sha256:${'a'.repeat(64)}`
  assert.deepEqual(image(`example/weather@${digest}`), [...first, `example/weather@${digest}`])
  for (const loose of ['example/weather', 'example/weather:latest', '-v/:/host', 'a b:1'])
    assert.equal(image(loose), undefined, loose)
})

test('a list of a registry gives its newest entries that were not deleted', () => {
  const OFFICIAL = 'io.modelcontextprotocol.registry/official'
  const listed = (name: string, said: Plain): Plain => ({
    server: entry({ name: `com.example/${name}`, title: name, remotes: [remote()] }),
    _meta: { [OFFICIAL]: said },
  })
  const made = convert({
    servers: [
      listed('new', { status: 'active', isLatest: true }),
      listed('old', { status: 'active', isLatest: false }),
      listed('gone', { status: 'deleted', isLatest: true }),
      listed('aging', { status: 'deprecated', isLatest: true }),
      listed('new', {}),
    ],
    metadata: { count: 5 },
  })
  const slugs = made.documents.filter(({ kind }) => kind === 'origin').map(({ slug }) => slug)
  assert.deepEqual(slugs, ['new', 'aging', 'new-2'])
  assert.match(made.notes.join('\n'), /old is left out: a newer version/)
  assert.match(made.notes.join('\n'), /aging is deprecated/)
  assert.equal(convert({ server: entry({ remotes: [remote()] }) }).documents.length, 2)
})

const WHOLE = entry({
  remotes: [
    remote({
      url: 'https://{tenant}.example.com/mcp?k={k}',
      variables: { tenant: { default: 'a' }, k: { isSecret: true, default: 'PLANTED' } },
      headers: [token, { name: 'X-A', value: '{v}', variables: { v: { default: 'x', choices: ['x'] } } }],
    }),
  ],
  packages: [
    npm({
      packageArguments: [{ type: 'named', name: '--a', default: 'b', format: 'string' }],
      environmentVariables: [{ name: 'KEY', isSecret: true, isRequired: true, default: 'PLANTED' }],
    }),
  ],
})

test('whatever stands in an entry, documents fit their schemas and secrets are in none of them', () => {
  const values = [
    null,
    0,
    '',
    'x'.repeat(10_000),
    '\ud800',
    '{a}',
    '\u0000',
    [],
    {},
    NO_TEXT,
    ['a'],
    true,
    '__proto__',
  ]
  const { remotes: _, ...programs } = WHOLE
  for (const whole of [WHOLE, programs])
    for (const value of values)
      for (const changed of withEachReplaced(whole, value)) {
        if (!Array.isArray((changed as Plain)['remotes'] ?? (changed as Plain)['packages'])) continue
        assert.doesNotMatch(JSON.stringify(safely(changed as Plain)), /PLANTED/)
      }
  fc.assert(
    fc.property(anyJson(), fc.nat(), fc.nat(), (value, first, second) => {
      safely(withReplaced(withReplaced(WHOLE, value, first), value, second) as Plain)
    }),
  )
})

/** A document that is none any more is refused in words. */
function safely(document: Plain): Converted | null {
  try {
    return convert(document)
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'document_invalid') throw error
    return null
  }
}

test('the operation converts what a registry has, by the egress rule of the instance', async () => {
  const control = await startControl()
  try {
    const document = entry({ remotes: [remote({ url: 'https://{t}.example.com/', headers: [token] })] })
    const { output } = await control.run('config.convert', { document, values: { t: 'acme' } })
    assert.equal((output['documents'] as readonly unknown[]).length, 3)
    await control.run('config.apply', { documents: output['documents'] })
    const { output: origin } = await control.run('origins.get', { id: 'weather' })
    assert.deepEqual([origin['active'], origin['url']], [false, 'https://acme.example.com/'])
    await refused(control.run('config.convert', { document: { servers: [1] } }), 'document_invalid')
  } finally {
    await control.close()
  }
})
