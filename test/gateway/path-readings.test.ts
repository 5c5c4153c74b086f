import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { client, collection, credential, policy, profile, proxy, rate, upstream } from './fragments.ts'
import { type Served, serve } from './serve.ts'

let served: Served

before(async () => {
  served = await serve((port) => [
    collection('people', {
      base_path: '/people',
      upstream: upstream(port),
      proxies: [
        proxy('export', '/users/export', { methods: ['GET', 'POST'], credential: 'none' }),
        proxy('user', '/users/{id}', { methods: ['GET', 'DELETE'] }),
        proxy('close', '/users/{id}:close', { methods: ['GET'] }),
        proxy('data', '/data/{id}.json', { methods: ['GET'] }),
        proxy('point', '/map/point;at={at}', { methods: ['GET'] }),
        proxy('plain-point', '/map/point', { methods: ['GET'] }),
        proxy('matrix', '/matrix/;id={id}/parts', { methods: ['GET'] }),
        proxy('late', '/matrix/{id};v={v}', { methods: ['GET'] }),
        proxy('moved', '/moved/v{major}.{minor}', {
          methods: ['GET'],
          target_path: '/users/{minor}/{major}',
        }),
        proxy('files', '/files/*', { methods: ['GET'] }),
        proxy('secret-files', '/files/secret/*', { methods: ['GET'] }),
        proxy('guide', '/guide/*', { methods: ['GET'] }),
        proxy('guide-page', '/guide/{page}', { methods: ['GET'] }),
      ],
    }),
    collection('vault', {
      base_path: '/people/files/vault',
      upstream: upstream(port),
      proxies: [proxy('v', '/*')],
    }),
    collection('guarded', {
      upstream: upstream(port),
      proxies: [
        proxy('guarded-user', '/users/{id}', { methods: ['GET', 'DELETE'], policy: 'pol_all' }),
        proxy('limited', '/users/limited', { policy: 'pol_own' }),
        proxy('keyed', '/users/keyed', { policy: 'pol_all', credential: 'crd_key' }),
        proxy('marked', '/users/marked', { headers: [{ name: 'X-Mark', value: 'yes' }] }),
        proxy('checked', '/users/checked', { contract: { mode: 'enforce', strict_query: true } }),
        proxy('reported', '/users/reported', { contract: { mode: 'report', strict_query: true } }),
        proxy('equal', '/users/equal', { policy: 'pol_all' }),
        proxy('looser', '/users/looser', { policy: null }),
        proxy('spelled', '/users/LIMITED'),
        proxy('any', '/pages/*'),
        proxy('page', '/pages/{id}', { policy: 'pol_own' }),
        proxy('index', '/pages', { policy: 'pol_own' }),
        proxy('docs', '/docs/*'),
        proxy('drafts', '/docs/drafts/*', { policy: 'pol_own' }),
        proxy('name', '/{name}'),
        proxy('below', '/reports/*', { policy: 'pol_own' }),
      ],
    }),
    collection('inner', {
      base_path: '/guarded/pages/inner',
      upstream: upstream(port),
      hosts: ['inner.test'],
      hide_unassigned: true,
      proxies: [proxy('inner-all', '/*')],
    }),
    policy('all', [rate(1000)]),
    policy('own', [rate(100)]),
    credential('key', 'bearer', {}, { token: 'nekot' }),
    client('acme', {
      collections: ['col_people', 'col_vault', 'col_guarded'],
      profiles: [
        profile('open'),
        profile('careful', { endpoints: { allow: [], deny: ['GET /people/users/export', 'secret-files'] } }),
        profile('closed', { endpoints: { allow: [], deny: ['index'] } }),
        profile('strict', { endpoints: { allow: [], deny: ['guide-page'] } }),
        profile('some', { endpoints: { allow: ['people:user', 'people:files'], deny: [] } }),
      ],
    }),
  ])
})
after(() => served.close())

async function ask(path: string, profile = 'open', method = 'GET') {
  const sent = served.echo.seen.length
  const answer = await served.ask(path, {
    method,
    headers: { 'x-client-id': 'acme', 'x-profile-id': profile },
  })
  const outcome = answer.json['code'] ?? served.echo.seen.at(-1)!.url
  assert.equal(served.echo.seen.length - sent, answer.status === 200 ? 1 : 0, path)
  return [answer.status, outcome]
}

const REFUSED = [400, 'request_not_canonical']

test('a path that a server without parameters reads as another route is refused', async () => {
  for (const path of [
    '/people/users/export;x=1',
    '/people/users/export;',
    '/people/users/export;a=b;c',
    '/people/users/export%3Bx=1',
    '/people/users/export%3bx',
    '/people/users/exp%6Frt;x',
    '/people/users/7:close;x=1',
    '/people/users/7%3Aclose%3Bx',
    '/people/files/secret;x/plan',
    '/people/files;x/secret/plan',
    '/people/files/vault;x/gold',
    '/people/data/secret;.json',
    '/people/users/export.',
    '/people/users/export...',
    '/people/users/export%20',
    '/people/users/export%20.%20',
    '/people/users/export%2E',
    '/people/files/secret./plan',
    '/people/files/..%20/plan',
  ])
    for (const profile of ['open', 'careful'])
      assert.notEqual((await ask(path, profile))[0], 200, `${path} as ${profile}`)
  assert.deepEqual(await ask('/people/users/export;x=1'), REFUSED)
  assert.deepEqual(await ask('/people/users/export%3bx'), REFUSED)
  assert.deepEqual(await ask('/people/files/vault;x/gold'), REFUSED)
  assert.deepEqual(await ask('/people/data/secret;.json'), REFUSED)
  assert.deepEqual(await ask('/people/users/export.'), REFUSED)
})

test('parameters, dots and spaces that lead to the same route with and without pass as they came', async () => {
  for (const path of [
    '/users/7;v=2',
    '/users/7%3Bv=2',
    '/users/Mr.%20Smith%20Jr.',
    '/users/7.',
    '/data/7.json',
    '/data/a.b%20c.json',
    '/map/point;at=5',
    '/map/point;at=5;of=6',
    '/map/point',
    '/files/a;b/c',
    '/files/notes.',
  ])
    assert.deepEqual(await ask(`/people${path}`), [200, path], path)
  // The method counts: DELETE of that name is a call of the route with the parameter in any reading
  assert.deepEqual(await ask('/people/users/export;x=1', 'open', 'DELETE'), [200, '/users/export;x=1'])
})

test('a segment that begins with parameters is forwarded where the pattern has them', async () => {
  for (const path of ['/matrix/;id=5/parts', '/matrix/;id=5;of=6/parts', '/matrix/%3Bid%3D5/parts'])
    assert.deepEqual(await ask(`/people${path}`), [200, path], path)
  for (const path of [
    '/users/;id=5',
    '/users/%3Bid=5',
    '/users/;x/export',
    '/files/;x/secret/plan',
    '/files/;x',
    '/files/a/%3bx/b',
    '/;x/users/export',
    '/matrix/;a;v=1',
    '/moved/v;x.3',
  ])
    for (const profile of ['open', 'careful'])
      assert.notEqual((await ask(`/people${path}`, profile))[0], 200, path)
  for (const path of ['/users/;id=5', '/files/;x/secret/plan', '/files/;x', '/matrix/;a;v=1', '/moved/v;x.3'])
    assert.deepEqual(await ask(`/people${path}`), REFUSED, path)
})

test('a denied endpoint is not reached in other case', async () => {
  for (const path of ['/users/EXPORT', '/users/Export', '/files/SECRET/plan', '/files/secreT/']) {
    assert.deepEqual(await ask(`/people${path}`, 'careful'), [403, 'endpoint_not_allowed'], path)
    assert.deepEqual(await ask(`/people${path}`), [200, path], path)
  }
  assert.deepEqual(await ask('/people/users/exported', 'careful'), [200, '/users/exported'])
  assert.deepEqual(await ask('/people/users/EXPORT', 'some'), [403, 'endpoint_not_allowed'])
  assert.deepEqual(await ask('/people/users/7', 'some'), [200, '/users/7'])
  // The entry denies GET alone
  assert.deepEqual(await ask('/people/users/EXPORT', 'careful', 'DELETE'), [200, '/users/EXPORT'])
})

test('a denied endpoint is not reached with a query that is encoded, characters that are encoded twice, or a stream of a file', async () => {
  for (const path of [
    '/users/%2565xport',
    '/users/%25252565xport',
    '/users/%25%36%35xport',
    '/users/export%3F',
    '/files/secret%3Fa/b',
    '/users/Export%23a',
    '/users/export::$DATA',
    '/users/export%3A%3a%24data',
    '/files/secret%3f/plan',
  ]) {
    assert.deepEqual(await ask(`/people${path}`, 'careful'), [403, 'endpoint_not_allowed'], path)
    assert.equal((await ask(`/people${path}`))[0], 200, path)
  }
  for (const path of ['/users/100%2525', '/users/a%3Fb', '/users/a:b', '/users/a%23export'])
    assert.equal((await ask(`/people${path}`, 'careful'))[0], 200, path)
})

test('a slash at the end is another path, unless a rule denies the one without it', async () => {
  assert.deepEqual(await ask('/people/guide/one/', 'careful'), [200, '/guide/one/'])
  assert.deepEqual(await ask('/people/guide/one/', 'strict'), [403, 'endpoint_not_allowed'])
})

test('an endpoint with a policy, credential, header or request check of its own is not reached in another spelling', async () => {
  for (const path of [
    '/users/Limited',
    '/users/%256cimited',
    '/users/limited%3F',
    '/users/KEYED',
    '/users/Keyed',
    '/users/mArked',
    '/users/checkeD',
    '/pages/7/',
    '/pages/',
    '/docs/DRAFTS/1',
    '/docs/DRAFTS',
    '/docs/drafts',
  ])
    for (const profile of ['open', 'careful'])
      assert.deepEqual(await ask(`/guarded${path}`, profile), REFUSED, path)
  assert.deepEqual(await ask('/guarded/users/keyed'), [200, '/users/keyed'])
})

test('another spelling is forwarded where both endpoints are protected alike, and where the path is an endpoint itself', async () => {
  for (const path of [
    '/users/EQUAL',
    '/users/LOOSER',
    '/users/Reported',
    '/users/LIMITED',
    '/users/limitedly',
    '/docs/drafts/1',
    '/pages/7/parts',
    // `/reports/*` could be meant where a wildcard is matched, not where a parameter is
    '/reports',
  ])
    assert.deepEqual(await ask(`/guarded${path}`), [200, path], path)
  assert.deepEqual(await ask('/guarded/users/Limited', 'open', 'DELETE'), [200, '/users/Limited'])
})

test('a collection below another one is not reached in another spelling of its base path', async () => {
  assert.deepEqual(await ask('/people/files/VAULT/gold'), REFUSED)
  assert.deepEqual(await ask('/people/files/%2576ault/gold'), REFUSED)
  assert.deepEqual(await ask('/people/Files/vault/gold'), [404, 'route_not_found'])
  assert.deepEqual(await ask('/people/files/vaults/gold'), [200, '/files/vaults/gold'])
  // Its host is another one
  assert.deepEqual(await ask('/guarded/pages/INNER/1'), [200, '/pages/INNER/1'])
  const headers = { host: 'inner.test', 'x-client-id': 'acme', 'x-profile-id': 'open' }
  const exact = await served.ask('/guarded/pages/inner/1', { headers })
  const spelled = await served.ask('/guarded/pages/INNER/1', { headers })
  for (const { status, json } of [exact, spelled])
    assert.deepEqual([status, json['code'], json['detail']], [404, 'route_not_found', exact.json['detail']])
})

test('the answer says what to do, and the record names the other endpoint', async () => {
  const index = served.records.length
  const answer = await served.ask('/guarded/users/KEYED', {
    headers: { 'x-client-id': 'acme', 'x-profile-id': 'open' },
  })
  assert.match(String(answer.json['detail']), /Use the exact path/)
  const { reason, check, stoppedAt } = await served.record(index)
  assert.deepEqual([stoppedAt, check], [11, 'path readings'])
  assert.match(String(reason), /\/guarded\/users\/keyed, whose credential/)
})

test('a denied path is not reached by a slash that leads to a wildcard', async () => {
  assert.deepEqual(await ask('/guarded/pages/', 'closed'), [403, 'endpoint_not_allowed'])
})

test('the reason of the refusal is in the record', async () => {
  const index = served.records.length
  await ask('/people/users/export;x=1')
  const { reason, stoppedAt } = await served.record(index)
  assert.equal(stoppedAt, 10)
  assert.match(String(reason), /parameters, dots or spaces/)
})
