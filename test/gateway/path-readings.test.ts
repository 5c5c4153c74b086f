import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { client, collection, profile, proxy, upstream } from './fragments.ts'
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
    client('acme', {
      collections: ['col_people', 'col_vault'],
      profiles: [
        profile('open'),
        profile('careful', { endpoints: { allow: [], deny: ['GET /people/users/export', 'secret-files'] } }),
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

test('the reason of the refusal is in the record', async () => {
  const index = served.records.length
  await ask('/people/users/export;x=1')
  const { reason, stoppedAt } = await served.record(index)
  assert.equal(stoppedAt, 10)
  assert.match(String(reason), /parameters, dots or spaces/)
})
