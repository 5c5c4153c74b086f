import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Issuer, part, signedBy, signedWith, signingKey } from '../support/issuer.ts'
import { runPage } from '../support/page.ts'
import { askMcp, startTestServer, type TestServer } from './server.ts'

const key = signingKey('k1')
const issuer = await new Issuer(key).listen()
const AUDIENCE = 'https://gateway.example'
let server: TestServer

before(async () => {
  server = await startTestServer()
  const must = async (path: string, body: object): Promise<void> => {
    const made = await server.manage('POST', path, body)
    assert.equal(made.status, 201, made.text)
  }
  for (const name of ['Payments', 'Orders'])
    await must('/collections', { name, base_path: `/${name.toLowerCase()}` })
  await must('/service_identities', { name: 'Payments pipeline', slug: 'ci' })
  await must('/grants', {
    service_identity: 'ci',
    name: 'Deploy',
    role: 'modifier',
    scope: { collections: ['payments'] },
  })
  await must('/trust_rules', {
    service_identity: 'ci',
    name: 'Main branch',
    issuer: issuer.url,
    audience: AUDIENCE,
    conditions: [
      { claim: 'repository', equals: 'acme/payments' },
      { claim: 'ref', glob: 'refs/heads/*' },
    ],
  })
})
after(async () => {
  await server.stop()
  await issuer[Symbol.asyncDispose]()
})

const now = (): number => Math.floor(Date.now() / 1000)
const claims = (more: object = {}) => ({
  iss: issuer.url,
  aud: AUDIENCE,
  sub: 'repo:acme/payments:ref:refs/heads/main',
  repository: 'acme/payments',
  ref: 'refs/heads/main',
  iat: now(),
  exp: now() + 300,
  ...more,
})
const as = (token: string, method = 'GET', path = '/collections', body?: object) =>
  server.manage(method, path, body, { token })

test('a pipeline administers by the token of its platform, within its grants, and the trail names it', async () => {
  const token = signedBy(key, claims())
  const listed = await as(token)
  assert.equal(listed.status, 200, listed.text)
  assert.deepEqual(
    listed.json.items.map(({ slug }: { slug: string }) => slug),
    ['payments'],
  )
  const changed = await as(token, 'PATCH', '/collections/payments', { description: 'Deployed' })
  assert.equal(changed.status, 200, changed.text)
  assert.equal((await as(token, 'PATCH', '/collections/orders', { description: 'Mine' })).status, 404)
  assert.equal((await as(token, 'GET', '/grants')).status, 403)

  const tool = await askMcp(server, '/management/mcp', token, 'tools/call', {
    name: 'list_collections',
    arguments: {},
  })
  assert.match(tool.text, /payments/)
  assert.doesNotMatch(tool.text, /orders/)

  const { items } = (await server.manage('GET', '/audit?actor=ci')).json
  assert.equal(items[1].operation, 'collections.update')
  assert.deepEqual(
    [items[1].actor.type, items[1].actor.name, items[1].actor.auth_method],
    ['service', 'ci', 'workload_token'],
  )
})

const WRONG: Readonly<Record<string, () => string>> = {
  'another repository': () => signedBy(key, claims({ repository: 'acme/other' })),
  'no ref': () => signedBy(key, claims({ ref: undefined })),
  'another audience': () => signedBy(key, claims({ aud: 'https://elsewhere.example' })),
  'another issuer': () => signedBy(key, claims({ iss: 'https://elsewhere.example' })),
  'no end': () => signedBy(key, claims({ exp: undefined })),
  'an end that has passed': () => signedBy(key, claims({ iat: now() - 900, exp: now() - 300 })),
  'a beginning to come': () => signedBy(key, claims({ nbf: now() + 300 })),
  'the key of another': () => signedBy({ ...signingKey('k1'), kid: 'k1' }, claims()),
  'a key that is not known': () => signedBy(signingKey('k9'), claims()),
  'a shared secret': () => signedWith('secret', claims()),
  'no signature': () => `${part({ alg: 'none', typ: 'JWT' })}.${part(claims())}.`,
}
for (const [what, make] of Object.entries(WRONG))
  test(`a token with ${what} proves nothing, and the answer does not say why`, async () => {
    const answer = await as(make())
    assert.equal(answer.status, 401, answer.text)
    assert.doesNotMatch(answer.text, /repository|audience|issuer|kid|signature|algorithm/)
  })

test('an issuer is not asked for the sake of a token that no rule fits', async () => {
  const asked = issuer.asked.length
  await as(signedBy(signingKey('k77'), claims({ repository: 'acme/other' })))
  assert.equal(issuer.asked.length, asked)
})

test('a rule of a second identity that fits the same token makes it prove neither', async () => {
  await server.manage('POST', '/service_identities', { name: 'Second', slug: 'second' })
  const rule = {
    service_identity: 'second',
    name: 'Anything',
    issuer: issuer.url,
    audience: AUDIENCE,
    conditions: [{ claim: 'sub', glob: '*' }],
  }
  assert.equal((await server.manage('POST', '/trust_rules', rule)).status, 201)
  const token = signedBy(key, claims())
  assert.equal((await as(token)).status, 401)
  await server.manage('DELETE', '/service_identities/second?confirm=second')
  assert.equal((await as(token)).status, 200)
})

test('a grant that is taken back, and an identity that is switched off, count from the next request on', async () => {
  const token = signedBy(key, claims())
  assert.equal((await as(token)).json.items.length, 1)
  await server.manage('DELETE', '/grants/ci:deploy?confirm=deploy')
  assert.equal((await as(token)).status, 403)
  await server.manage('POST', '/service_identities/ci/toggle', { active: false })
  assert.equal((await as(token)).status, 401)
})

test('what docs/service-identities.md shows makes a token of that platform stand for the identity', async () => {
  const words = { 'https://token.actions.githubusercontent.com': issuer.url }
  assert.equal(await runPage('service-identities.md', server, words), 4)
  const run = { repository: 'acme/orders', ref: 'refs/heads/main', aud: 'https://gateway.example.com' }
  const changed = await as(signedBy(key, claims(run)), 'PATCH', '/collections/orders', {
    description: 'Deployed',
  })
  assert.equal(changed.status, 200, changed.text)
})
