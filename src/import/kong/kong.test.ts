import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { refused, startControl } from '../../../test/control.ts'
import { specOf } from '../../../test/support/converted.ts'
import { converted, isOpen, one, openProxies, shown, statusAt } from '../../../test/support/converted-kong.ts'
import { FLAT, KONG } from '../../../test/support/kong-document.ts'
import { NO_TEXT, withEachReplaced, withReplaced } from '../../../test/support/replaced.ts'
import type { Plain } from '../../base/json/storable.ts'
import type { Converted } from '../converted.ts'
import { fromKong, isKong } from './kong.ts'

test('services and routes become collections and proxies, plugins what they have a counterpart in', () => {
  assert.ok(isKong(KONG))
  const made = converted(KONG)
  const orders = specOf(made, 'collection', 'orders')
  assert.deepEqual(
    [orders['base_path'], orders['hosts'], orders['max_body']],
    ['/orders', ['api.example.com'], 2 * 1024 ** 2],
  )
  assert.deepEqual(orders['upstream'], {
    targets: [
      { url: 'http://10.0.0.1:8080/api', weight: 100 },
      { url: 'http://10.0.0.2:8080/api', weight: 50 },
    ],
    timeouts: { connect: '3000ms', first_byte: '20000ms', idle: '20000ms' },
  })
  assert.deepEqual(orders['cors'], {
    origins: ['https://app.example.com'],
    methods: [],
    headers: ['Authorization', 'Content-Type', 'X-Client-ID', 'X-Profile-ID', 'Idempotency-Key', 'apikey'],
    expose: [],
    credentials: true,
    max_age: '600s',
  })
  assert.deepEqual(
    made.documents
      .filter(({ kind, spec }) => kind === 'proxy' && spec['collection'] === 'orders')
      .map(({ slug, spec }) => [slug, spec['methods'], spec['path']]),
    [
      ['orders-read', ['GET', 'HEAD'], '/'],
      ['orders-read-all', ['GET', 'HEAD'], '/*'],
      ['orders-write', ['POST'], '/'],
      ['orders-write-all', ['POST'], '/*'],
    ],
  )
})

test('a path that is not stripped goes to the upstream as it came', () => {
  const made = converted(KONG)
  const proxies = made.documents.filter(({ slug }) => slug === 'raw' || slug === 'raw-all')
  // The path ends with a slash, so that the base itself was not answered
  assert.deepEqual(
    proxies.map(({ spec }) => [spec['path'], spec['target_path']]),
    [['/*', '/raw/*']],
  )
})

test('consumers become clients with a profile of type token, without their keys', () => {
  const made = converted(KONG)
  const { collections, policy } = specOf(made, 'client', 'acme')
  assert.deepEqual([collections, policy], [['orders', 'orders-raw'], 'acme-limit'])
  // Keys of Kong do not end
  assert.deepEqual(specOf(made, 'profile', 'token')['auth'], { type: 'token', expires_in: null })
  assert.deepEqual(
    made.keys?.map(({ client, profile, text }) => [client, profile, text]),
    [['acme', 'token', 'PLANTED-SECRET-KEY']],
  )
  assert.doesNotMatch(shown(made), /PLANTED/)
})

test('what has no counterpart is said', () => {
  const notes = converted(KONG).notes.join('\n')
  for (const part of [
    /path ~\/v\\d\+\/x of route pattern is left out/,
    /path \/ of route pattern is left out/,
    /plugin key-auth of service orders: callers send their key as before/,
    /plugin prometheus of all services is left out/,
    /service broken is left out: it has no http/,
    /^keys: import them after the apply, with postern import-keys/m,
    /collection orders is a draft: the rate limit of service orders would be counted for each of its paths/,
    /route orders-write at \/orders\/ is left out: an earlier route has this path/,
  ])
    assert.match(notes, part)
})

test('what is carried over exactly is published', () => {
  const made = one({}, {}, { methods: ['GET'], hosts: ['API.example.com'], protocols: ['http', 'https'] })
  assert.ok(isOpen(made, '/a'))
  assert.deepEqual(specOf(made, 'collection', 's')['hosts'], ['api.example.com'])
  // Only the keys of the consumer are not in the documents
  assert.deepEqual(
    made.notes.filter((note) => !/token of a profile|^keys: import them/.test(note)),
    [],
  )
  const { exact } = converted({
    services: [{ name: 's', url: 'http://a.example', routes: [{ name: 'r', paths: ['/a'] }] }],
    plugins: [{ name: 'key-auth' }],
  })
  assert.equal(exact, true)
})

test('a service that was open without authentication is named as closed, with and without consumers', () => {
  const routes = [{ name: 'r', paths: ['/a'] }]
  const services = [{ name: 's', url: 'http://a.example', routes }]
  for (const more of [{}, { consumers: [{ username: 'c' }] }]) {
    const { notes, exact } = converted({ services, ...more })
    assert.ok(
      notes.some((note) => /^collection s: it had no authentication, but callers of Postern need/.test(note)),
    )
    assert.equal(exact, false)
  }
  const keyed = converted({ services, plugins: [{ name: 'key-auth' }] })
  assert.ok(keyed.notes.every((note) => !note.includes('had no authentication')))
})

test('credentials and groups at the top of the document belong to the consumer that they name', () => {
  const acl = { name: 'acl', config: { allow: ['gold'] } }
  const of = (consumers: Plain[], top: Plain): Converted =>
    converted({
      services: [{ name: 's', url: 'http://a.example', routes: [{ name: 'r', paths: ['/a'] }] }],
      plugins: [{ name: 'key-auth' }, acl],
      consumers,
      ...top,
    })
  const callable = (made: Converted, slug: string): unknown => specOf(made, 'client', slug)['collections']
  const acls = [
    { consumer: 'gold', group: 'gold' },
    { consumer: { id: 'uuid-1' }, group: 'gold' },
    { consumer: 'absent', group: 'gold' },
  ]
  const keyauth_credentials = [{ consumer: 'gold', key: 'PLANTED-SECRET' }]
  const made = of(
    [
      { username: 'gold' },
      { username: 'own', id: 'uuid-1', keyauth_credentials: [{ key: 'PLANTED-SECRET' }] },
      { username: 'plain' },
    ],
    { acls, keyauth_credentials },
  )
  assert.deepEqual(
    ['gold', 'own', 'plain'].map((slug) => callable(made, slug)),
    [['s'], ['s'], []],
  )
  assert.ok(made.notes.includes('acls of absent are left out: there is no such consumer'))
  assert.ok(made.notes.every((note) => !/^(acls|keyauth_credentials) are left out/.test(note)))
  assert.doesNotMatch(shown(made), /PLANTED/)
})

test('what protects a route and has no counterpart leaves it closed, wherever the plugin stands', () => {
  const protections: readonly Plain[] = [
    { name: 'ip-restriction', config: { allow: ['10.0.0.0/8'] } },
    { name: 'bot-detection' },
    { name: 'request-termination', config: { status_code: 503 } },
    { name: 'pre-function', config: { access: ['return kong.response.exit(403)'] } },
    { name: 'rate-limiting-advanced', config: { limit: [5], window_size: [60], identifier: 'credential' } },
    { name: 'rate-limiting-advanced', config: { limit: [5, 6], window_size: [60] } },
    {
      name: 'rate-limiting-advanced',
      config: { limit: [5], window_size: [60], enforce_consumer_groups: true },
    },
    { name: 'rate-limiting', config: { year: 5 } },
    { name: 'rate-limiting', config: { minute: 5, limit_by: 'path' } },
    { name: 'rate-limiting', config: { minute: '5' } },
    { name: 'rate-limiting', config: { minute: 5 }, consumer: 'c' },
    { name: 'rate-limiting', config: { minute: 5 }, condition: 'http.method == "GET"' },
    { name: 'rate-limiting', _config: 'missing' },
    { name: 'request-size-limiting', config: { allowed_payload_size: 1, size_unit: 'pints' } },
    { name: 'request-size-limiting', config: { require_content_length: true } },
    { name: 'acl', config: { allow: ['gold'], always_use_authenticated_groups: true } },
    { name: 'acl', config: {} },
    { name: 'something-unheard-of' },
  ]
  for (const plugin of protections)
    for (const made of [
      one({ plugins: [plugin] }),
      one({}, { plugins: [{ ...plugin, service: { name: 's' } }] }),
      one({}, { plugins: [{ ...plugin, route: 'r' }] }),
      one({}, {}, { plugins: [plugin] }),
      ...(plugin['consumer'] === undefined ? [one({}, { plugins: [plugin] })] : []),
    ]) {
      const text = JSON.stringify(plugin)
      assert.ok(!isOpen(made, '/a'), text)
      assert.equal(made.exact, false, text)
      assert.ok(
        made.notes.some((note) => / is a draft: /.test(note)),
        text,
      )
    }
})

test('a list that is written in another form leaves closed what it would have protected or narrowed', () => {
  const acl = { name: 'acl', config: { allow: ['gold'], deny: 'blocked' } }
  const cases: readonly (readonly [string, Converted])[] = [
    ['plugins of a service', one({ plugins: { name: 'bot-detection' } })],
    ['plugins of a route', one({}, {}, { plugins: ['bot-detection'] })],
    ['plugins of all services', one({}, { plugins: { name: 'bot-detection' } })],
    ['groups of the plugin acl', one({ plugins: [acl] })],
    ['a config that is no object', one({ plugins: [{ name: 'cors', config: 'none' }] })],
    ['hosts of a route', one({}, {}, { hosts: 'inside.example.com' })],
    ['methods of a route', one({}, {}, { methods: 'GET' })],
  ]
  for (const [what, made] of cases) {
    assert.ok(!isOpen(made, '/a'), what)
    assert.equal(made.exact, false, what)
    assert.ok(
      made.notes.some((note) => / not a list of |config that is no object/.test(note)),
      `${what}: ${made.notes.join('; ')}`,
    )
  }
  for (const member of ['services', 'routes', 'upstreams', 'consumers', 'consumer_groups']) {
    const made = fromKong({ _format_version: '3.0', [member]: { name: 'x' } })
    assert.equal(made.exact, false, member)
    assert.ok(
      made.notes.some((note) => note.includes(member)),
      member,
    )
  }
})

test('a plugin that is switched off protects nothing and overrides nothing', () => {
  assert.ok(isOpen(one({ plugins: [{ name: 'ip-restriction', enabled: false }] }), '/a'))
  const off = { name: 'rate-limiting', enabled: false, config: { minute: 1 } }
  const on = { name: 'rate-limiting', config: { minute: 7 } }
  const made = one({ plugins: [on] }, {}, { plugins: [off] })
  assert.equal((specOf(made, 'policy', 's-limit')['limits'] as Plain[])[0]!['max'], 7)
  assert.equal(
    one({}, { consumers: [{ username: 'c', plugins: [off] }] }).documents.filter(
      ({ kind }) => kind === 'policy',
    ).length,
    0,
  )
})

test('a disabled service, and what only https or certain headers reached, is not published', () => {
  const off = one({ enabled: false })
  assert.equal(statusAt(off, '/a'), 'draft')
  for (const [service, route] of [
    [{ client_certificate: { id: 'x' } }, {}],
    [{ new_member: 1 }, {}],
    [{}, { protocols: ['https'] }],
    [{}, { path_handling: 'v1' }],
    [{}, { new_member: 1 }],
  ] as const) {
    const made = one(service, {}, route)
    assert.ok(!isOpen(made, '/a'), JSON.stringify([service, route]))
    assert.equal(made.exact, false)
  }
  for (const route of [
    { headers: { 'x-internal': ['yes'] } },
    { snis: ['a.example'] },
    { expression: 'http.path == "/a"' },
    { protocols: ['grpc'] },
    { hosts: ['*.example.com'] },
    { hosts: ['example.com:8443'] },
    { methods: ['PURGE'] },
    { paths: [] },
    { paths: ['~/a$'] },
  ])
    assert.equal(statusAt(one({}, {}, route), '/a'), null, JSON.stringify(route))
  for (const url of ['grpc://a.example', 'tcp://a.example:1'])
    assert.equal(statusAt(one({ url }), '/a'), null)
})

test('what is not published is not answered by a shorter path, another host or another method in its place', () => {
  const wide = { name: 'wide', url: 'http://wide.example', routes: [{ name: 'w', paths: ['/a'] }] }
  const acl = [{ name: 'ip-restriction', config: { allow: ['10.0.0.1'] } }]
  const besides = (routes: readonly Plain[]): Converted =>
    converted({ services: [wide, { name: 'narrow', url: 'http://narrow.example', routes }] })
  for (const route of [
    { name: 'n', paths: ['/a/admin'], plugins: acl },
    { name: 'n', paths: ['~/a/admin$'] },
    { name: 'n', paths: ['~/(a|b)/admin'] },
    { name: 'n', paths: ['/a/admin'], protocols: ['grpc', 'grpcs'] },
    { name: 'n', paths: ['/a'], methods: ['DELETE'], plugins: acl },
    { name: 'n', paths: ['/a'], hosts: ['x.example'], plugins: acl },
  ])
    assert.ok(!isOpen(besides([route]), '/a'), JSON.stringify(route))
  for (const route of [
    { name: 'n', paths: ['/b/admin'], plugins: acl },
    { name: 'n', paths: ['~/b/admin$'] },
    { name: 'n', paths: ['/a/admin'], headers: { 'x-internal': ['yes'] } },
  ])
    assert.ok(isOpen(besides([route]), '/a'), JSON.stringify(route))
  // Of two routes of a service the one that names methods answers them
  const made = one({
    routes: [
      { name: 'all', paths: ['/a'] },
      { name: 'delete', paths: ['/a'], methods: ['DELETE'], plugins: acl },
    ],
  })
  const open = made.documents.filter(({ kind, spec }) => kind === 'proxy' && spec['status'] === 'published')
  assert.ok(open.length > 0 && open.every(({ spec }) => !(spec['methods'] as string[]).includes('DELETE')))
})

test('before version 3 a path with characters of patterns is one', () => {
  const routes = [{ name: 'r', paths: ['/a+'] }]
  const services = [{ name: 's', url: 'http://a.example', routes }]
  assert.equal(statusAt(converted({ _format_version: '2.1', services }), '/a+'), null)
  assert.equal(statusAt(converted({ _format_version: '3.0', services }), '/a+'), 'published')
})

test('a consumer may call what its groups and its kinds of credentials open', () => {
  const callable = (plugins: readonly Plain[], consumer: Plain): unknown =>
    specOf(one({ plugins }, { consumers: [{ username: 'c', ...consumer }] }), 'client', 'c')['collections']
  const key = { name: 'key-auth' }
  const keyed = { keyauth_credentials: [{ key: 'k' }] }
  const acl = (config: Plain): Plain => ({ name: 'acl', config })
  assert.deepEqual(callable([key], keyed), ['s'])
  assert.deepEqual(callable([key], {}), [])
  assert.deepEqual(callable([key], { basicauth_credentials: [{ username: 'u' }] }), [])
  assert.deepEqual(callable([{ name: 'openid-connect' }], keyed), [])
  assert.deepEqual(callable([], {}), ['s'])
  const gold = { ...keyed, acls: [{ group: 'gold' }] }
  assert.deepEqual(callable([key, acl({ allow: ['gold'] })], gold), ['s'])
  assert.deepEqual(callable([key, acl({ allow: ['gold'] })], keyed), [])
  assert.deepEqual(callable([key, acl({ deny: ['gold'] })], gold), [])
  assert.deepEqual(callable([key, acl({ deny: ['gold'] })], keyed), ['s'])
  // Of one route of several, a client cannot be kept out
  const routes = [
    { name: 'r', paths: ['/a'], methods: ['GET'], plugins: [acl({ allow: ['x'] })] },
    { name: 'q', paths: ['/a'], methods: ['POST'] },
  ]
  assert.deepEqual(openProxies(one({ routes })), ['q', 'q-all'])
})

test('parts at the top of the document, and defaults, say the same as inside of their owner', () => {
  const made = converted(FLAT)
  const { upstream, key_places: places, status } = specOf(made, 'collection', 'stock')
  assert.equal(status, 'published')
  assert.deepEqual(upstream, { targets: [{ url: 'http://10.0.0.3:80', weight: 7 }], retries: { max: 1 } })
  assert.deepEqual(places, { headers: ['apikey', 'x-key'], query: ['apikey', 'x-key'] })
  assert.deepEqual(specOf(made, 'client', 'ann')['collections'], ['stock'])
  assert.equal(specOf(made, 'client', 'ann')['policy'], 'ann-limit')
  assert.deepEqual(
    [specOf(made, 'client', 'bob')['active'], specOf(made, 'client', 'bob')['collections']],
    [false, []],
  )
  assert.deepEqual(
    made.keys?.map(({ client, text }) => [client, text]),
    [
      ['ann', 'PLANTED-KEY-OF-ANN'],
      ['bob', 'PLANTED-KEY-OF-BOB'],
    ],
  )
})

test('two groups of one name hide nothing of each other', () => {
  const groups = [{ name: 'g', plugins: [{ name: 'x' }] }, { name: 'g' }]
  for (const consumer_groups of [groups, groups.toReversed()]) {
    const made = converted({
      consumers: [{ username: 'a', groups: [{ name: 'g' }] }, { username: 'b' }],
      consumer_groups,
      consumer_group_consumers: [{ consumer: 'b', consumer_group: 'g' }],
    })
    for (const slug of ['a', 'b']) assert.equal(specOf(made, 'client', slug)['active'], false, slug)
  }
})

test('a key at the top is of the consumer that is called so, not of one that has it as an id elsewhere', () => {
  const { keys } = fromKong({
    consumers: [{ username: 'first', custom_id: 'bob' }, { username: 'bob' }],
    keyauth_credentials: [{ consumer: 'bob', key: 'PLANTED-KEY-OF-BOB' }],
  })
  assert.deepEqual(
    keys?.map(({ client }) => client),
    ['bob'],
  )
})

test('a consumer with what cannot be carried over is switched off', () => {
  const made = (consumer: Plain, more: Plain = {}): Converted =>
    one({}, { consumers: [{ username: 'c', ...consumer }], ...more })
  const plugins = [{ name: 'ip-restriction', config: { allow: ['10.0.0.0/8'] } }]
  assert.deepEqual(specOf(made({ plugins }), 'profile', 'token')['ip_allowlist'], ['10.0.0.0/8'])
  for (const off of [
    made({ plugins: [{ name: 'ip-restriction', config: { deny: ['10.0.0.0/8'] } }] }),
    made({ plugins: [{ name: 'request-termination' }] }),
    made({ plugins: [{ name: 'rate-limiting', config: { minute: 1, limit_by: 'ip' } }] }),
    made({ new_member: 1 }),
    made(
      { groups: [{ name: 'g' }] },
      { consumer_groups: [{ name: 'g', plugins: [{ name: 'rate-limiting-advanced' }] }] },
    ),
    made({}, { consumer_groups: [{ name: 'g', consumers: [{ username: 'c' }], plugins: [{ name: 'x' }] }] }),
    made(
      { groups: [{ name: 'g' }] },
      { consumer_groups: [{ name: 'g' }], plugins: [{ name: 'x', consumer_group: 'g' }] },
    ),
  ]) {
    assert.equal(specOf(off, 'client', 'c')['active'], false)
    assert.ok(off.notes.some((note) => note.startsWith('consumer c is inactive: ')))
  }
})

test('routes at the top belong to their service, and everything else at the top is named', () => {
  const made = converted({
    services: [{ name: 's', id: 'id-1', url: 'http://a.example' }],
    routes: [
      { name: 'r', paths: ['/a'], service: { name: 's' } },
      { name: 'q', paths: ['/b'], service: { id: 'id-1' } },
      { name: 'lost', paths: ['/c'] },
    ],
    plugins: [{ name: 'key-auth', service: 'nowhere' }],
    certificates: [{ cert: 'x' }],
    vaults: [{ prefix: 'v' }],
    something_new: [1],
  })
  assert.ok(isOpen(made, '/a') && isOpen(made, '/b'))
  for (const part of [
    /route lost is left out/,
    /certificates are left out/,
    /vaults are left out/,
    /something_new are left out/,
    /plugin key-auth is left out: there is no service nowhere/,
  ])
    assert.match(made.notes.join('\n'), part)
})

test('targets of weight 0 stay out of service, and a pool without others leaves its service out', () => {
  const pool = (targets: readonly Plain[], more: Plain = {}): Converted =>
    one(
      { url: undefined, host: 'pool', protocol: 'http' },
      { upstreams: [{ name: 'pool', targets, ...more }] },
    )
  const upstream = (made: Converted): Plain => specOf(made, 'collection', 's')['upstream'] as Plain
  const two = pool([
    { target: '10.0.0.1:80', weight: 100 },
    { target: '10.0.0.2:80', weight: 0 },
    { target: '10.0.0.3' },
  ])
  assert.deepEqual(upstream(two)['targets'], [
    { url: 'http://10.0.0.1:80', weight: 100 },
    { url: 'http://10.0.0.3:8000', weight: 100 },
  ])
  assert.equal(statusAt(pool([{ target: '10.0.0.2:80', weight: 0 }]), '/a'), null)
  assert.equal(statusAt(pool([{ target: '10.0.0.1:80' }], { host_header: 'x.example' }), '/a'), 'draft')
  assert.equal(
    upstream(pool([{ target: 'a:1' }], { algorithm: 'least-connections' }))['balance'],
    'least_pending',
  )
  assert.equal(upstream(one({}, {}, { preserve_host: true }))['host_header'], 'preserve')
})

test('with any one part replaced by anything it becomes documents, notes and a report, none with a key', () => {
  fc.assert(
    fc.property(
      fc.jsonValue({ maxDepth: 3 }),
      fc.nat(),
      fc.constantFrom(KONG, FLAT),
      (value, seed, whole) => {
        const made = fromKong(withReplaced(whole, value, seed) as Plain)
        const { documents, notes, report } = made
        assert.doesNotMatch(shown(made), /PLANTED/)
        for (const { part, name, reason } of report ?? [])
          assert.ok(part.length + name.length + reason.length <= 1200)
        const names = documents.map(
          ({ kind, slug, spec }) => `${kind} ${String(spec['collection'] ?? spec['client'] ?? '')}:${slug}`,
        )
        assert.equal(new Set(names).size, names.length)
        for (const note of notes) assert.ok(note.length <= 500)
      },
    ),
    { numRuns: 500 },
  )
})

test('many parts cost what they become, and what would become too much is refused', () => {
  const many = <T>(make: (at: number) => T): T[] => Array.from({ length: 4000 }, (_, at) => make(at))
  const services = many((at) => ({ name: 'same', url: 'http://a', routes: [{ paths: [`/p${at}`] }] }))
  const { documents } = fromKong({ services })
  assert.equal(new Set(documents.map(({ kind, slug }) => `${kind} ${slug}`)).size, 4000 + 2)
  assert.equal(documents.length, 12_000)
  const [paths, hosts] = [many((at) => `/p${at}`).slice(0, 10), many((at) => `h${at}`).slice(0, 50)]
  const repeated = [
    { services, plugins: many(() => ({ name: 'rate-limiting', service: 'same' })) },
    { services, consumers: many((at) => ({ username: `c${at}` })) },
    {
      services: many(() => ({
        url: 'http://a',
        routes: [{ paths, hosts }],
      })),
    },
  ]
  for (const document of repeated) assert.throws(() => fromKong(document), { code: 'document_invalid' })
  // Groups and their members are read once each
  const consumer_groups = many(() => ({ name: 'same', plugins: [{ name: 'x' }] }))
  const consumer_group_consumers = many((at) => ({ consumer: `c${at}`, consumer_group: 'same' }))
  const members = fromKong({
    consumers: many((at) => ({ username: `c${at}` })),
    consumer_groups,
    consumer_group_consumers,
  })
  assert.equal(members.documents.filter(({ spec }) => spec['active'] === false).length, 4000)
  const slashes = fromKong({
    services: [{ url: `http://a${'/'.repeat(1_000_000)}x`, routes: [{ paths: ['/p'] }] }],
  })
  assert.equal(slashes.documents.length, 0)
})

test('with what no text can be made of in any place it becomes documents and notes', () => {
  for (const whole of [KONG, FLAT])
    for (const changed of withEachReplaced(whole, NO_TEXT)) {
      const document = changed as Plain
      if (isKong(document)) assert.ok(Array.isArray(fromKong(document).documents))
    }
})

test('what comes out is applied as it is', async () => {
  const control = await startControl()
  try {
    const text = `_format_version: "3.0"\nservices: ${JSON.stringify(KONG.services)}\nupstreams: ${JSON.stringify(KONG.upstreams)}\nplugins: ${JSON.stringify(KONG.plugins)}\nconsumers: ${JSON.stringify(KONG.consumers)}\n`
    const { output } = await control.run('config.convert', { document: text }, { role: 'viewer' })
    const { documents } = output as { documents: object[] }
    const applied = await control.run('config.apply', { documents, managed_by: 'kong' })
    assert.equal(applied.output['create'], documents.length)
    const { output: plan } = await control.run('config.plan', { documents, managed_by: 'kong' })
    assert.equal(plan['unchanged'], documents.length)
    await refused(control.run('config.convert', { document: { services: [] } }), 'document_invalid')
    await refused(control.run('config.convert', { document: '[]' }), 'document_invalid')
  } finally {
    await control.close()
  }
})
