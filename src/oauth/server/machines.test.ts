import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import { SignJWT } from 'jose'
import { postForm, register, startAuthorization } from '../../../test/support/authorization.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { signedBy, signingKey } from '../../../test/support/issuer.ts'

const ISSUER = 'https://ci.example'
const issuing = signingKey('ci')
const server = await startAuthorization({
  keysOf: (source) =>
    source === `discovery ${ISSUER}`
      ? { ok: true, keys: [{ kid: 'ci', alg: 'ES256', key: createPublicKey(issuing.key) }] }
      : { ok: false, reason: 'none' },
})
after(() => server[Symbol.asyncDispose]())
const { origin, manage } = server
const rest = `${origin}/management/v1`
const ask = (form: Record<string, string>, headers: Record<string, string> = {}) =>
  postForm(`${origin}/oauth/token`, { grant_type: 'client_credentials', ...form }, headers)
const statusOf = async (token: string, path: string): Promise<number> =>
  (await fetch(rest + path, { headers: { authorization: `Bearer ${token}` } })).status

async function serviceOf(slug: string, role: string): Promise<string> {
  const { body } = await manage('POST', '/service_identities', { name: slug, slug })
  assert.equal(
    (await manage('POST', '/grants', { name: `${slug} ${role}`, service_identity: slug, role })).status,
    201,
  )
  return body.id
}

test('a service identity gets tokens by its secret, by id or slug, until it has another or is inactive', async () => {
  const id = await serviceOf('pipeline', 'viewer')
  const issue = async () => (await manage('POST', '/service_identities/pipeline/issue_secret', {})).body
  const { client_secret: first } = await issue()
  const basic = { authorization: `Basic ${btoa(`pipeline:${first}`)}` }
  const { body } = await ask({ resource: rest }, basic)
  assert.equal(body.scope, 'management:read management:write')
  assert.equal(body.refresh_token, undefined)
  assert.equal(await statusOf(body.access_token, '/collections'), 200)
  const claims = JSON.parse(Buffer.from(body.access_token.split('.')[1], 'base64url').toString())
  assert.deepEqual([claims.sub, claims.client_id], [id, 'pipeline'])
  const assertion = { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: 'x' }
  assert.equal((await ask(assertion, basic)).body.error, 'unsupported_grant_type', 'nobody asserts anything')
  const byId = await ask({ resource: rest, client_id: id, client_secret: first, scope: 'management:read' })
  assert.equal(byId.body.scope, 'management:read')
  assert.equal(
    (await ask({}, { authorization: `Basic ${btoa('pipeline:wrong')}` })).body.error,
    'invalid_client',
  )

  const [issued] = (await server.store.read.auditEntries({ limit: 1, operation: 'oauth.issue_token' })).items
  assert.deepEqual([issued!.actor.type, issued!.actor.id, issued!.actor.name], ['service', id, 'pipeline'])

  const { client_secret: second } = await issue()
  assert.equal((await ask({}, basic)).body.error, 'invalid_client', 'the secret before has ended')
  assert.equal((await ask({ client_id: 'pipeline', client_secret: second })).status, 200)
  await manage('PATCH', '/service_identities/pipeline', { active: false })
  assert.equal((await ask({ client_id: 'pipeline', client_secret: second })).body.error, 'invalid_client')
  assert.equal(await statusOf(body.access_token, '/collections'), 401)
})

test('with keys of its own a service identity signs instead, once with each signature, and no secret is taken', async () => {
  const id = await serviceOf('signer', 'admin')
  const { client_secret } = (await manage('POST', '/service_identities/signer/issue_secret', {})).body
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const keys = [{ ...publicKey.export({ format: 'jwk' }), alg: 'ES256', kid: 'one' }]
  assert.equal((await manage('PATCH', '/service_identities/signer', { keys })).status, 200)
  const signed = (key = privateKey, audience = origin) =>
    new SignJWT({})
      .setProtectedHeader({ alg: 'ES256', kid: 'one' })
      .setIssuer(id)
      .setSubject(id)
      .setAudience(audience)
      .setJti(randomUUID())
      .setIssuedAt()
      .setExpirationTime('1m')
      .sign(key)
  const by = async (client_assertion: string) =>
    ask({
      resource: rest,
      scope: 'management:admin',
      client_assertion,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    })
  const assertion = await signed()
  const { body } = await by(assertion)
  assert.equal(await statusOf(body.access_token, '/grants'), 200)
  assert.equal((await by(assertion)).body.error, 'invalid_client', 'replayed')
  assert.equal((await by(await signed(stranger))).body.error, 'invalid_client')
  assert.equal((await by(await signed(privateKey, 'https://elsewhere.example'))).body.error, 'invalid_client')
  assert.equal((await ask({ client_id: 'signer', client_secret })).body.error, 'invalid_client')
})

test('a signature of a client that registered itself is kept for an hour at most, and of several requests with it one counts', async (t) => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const keys = [{ ...publicKey.export({ format: 'jwk' }), alg: 'ES256', kid: 'own' }]
  const client = await register(origin, { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys } })
  const signed = (end: string) =>
    new SignJWT({ iss: client, sub: client, aud: origin, jti: randomUUID() })
      .setProtectedHeader({ alg: 'ES256', kid: 'own' })
      .setIssuedAt()
      .setExpirationTime(end)
      .sign(privateKey)
  const about = async (client_assertion: string): Promise<number> => {
    const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
    const form = { token: 'x', client_assertion, client_assertion_type: type }
    return (await postForm(`${origin}/oauth/introspect`, form)).status
  }
  assert.equal(await about(await signed('61m')), 401)
  assert.equal(await about(await signed('9999y')), 401)
  assert.equal(await about(await signed('59m')), 200)
  const one = await signed('1m')
  // Requests that wait for another change all find that the assertion is new
  const { promise: held, resolve: release } = Promise.withResolvers<void>()
  const change = server.store.writeOAuth(() => held)
  const looks = t.mock.method(server.store.read.oauth, 'artifact')
  const asked = Array.from({ length: 4 }, () => about(one))
  await eventually(
    () => looks.mock.calls.filter(({ arguments: [kind] }) => kind === 'ReplayDetection').length === 4,
  )
  release()
  await change
  assert.deepEqual((await Promise.all(asked)).sort(), [200, 401, 401, 401])
})

test('a service identity without proof, and a client that registered itself, get nothing so', async () => {
  await serviceOf('bare', 'admin')
  assert.equal((await ask({ client_id: 'bare', client_secret: 'x' })).body.error, 'invalid_client')
  assert.equal((await ask({ client_id: 'bare' })).body.error, 'invalid_client')
  assert.equal((await ask({ client_id: await register(origin) })).status, 400)
})

test('nobody makes a secret or a key for a machine that may do more than they', async () => {
  await serviceOf('strong', 'admin')
  await serviceOf('weak', 'modifier')
  const role = { name: 'Machines', permissions: ['service_identities:read', 'service_identities:update'] }
  assert.equal((await manage('POST', '/roles', role)).status, 201)
  await manage('POST', '/grants', { name: 'weak machines', service_identity: 'weak', role: 'machines' })
  const { client_secret } = (await manage('POST', '/service_identities/weak/issue_secret', {})).body
  const { body } = await ask({ resource: rest, scope: 'management:admin', client_id: 'weak', client_secret })
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  for (const [method, path, value] of [
    ['POST', '/service_identities/strong/issue_secret', {}],
    ['PATCH', '/service_identities/strong', { keys: [publicKey.export({ format: 'jwk' })] }],
  ] as const) {
    const answer = await fetch(rest + path, {
      method,
      headers: { authorization: `Bearer ${body.access_token}`, 'content-type': 'application/json' },
      body: JSON.stringify(value),
    })
    assert.equal(answer.status, 403, `${path}: ${await answer.text()}`)
  }
})

test('an identity that was switched off, or signs by keys, is not opened again by a secret of before', async () => {
  await serviceOf('old', 'admin')
  const { client_secret } = (await manage('POST', '/service_identities/old/issue_secret', {})).body
  const prove = async () => (await ask({ resource: rest, client_id: 'old', client_secret })).status
  assert.equal(await prove(), 200)
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })
  const retires_at = new Date(Date.now() + 60_000).toISOString()
  assert.equal(
    (await manage('PATCH', '/service_identities/old', { keys: [{ ...key, retires_at }] })).status,
    200,
  )
  assert.equal(await prove(), 401)
  server.move(120_000)
  assert.equal(await prove(), 401, 'a key that has retired leaves nothing')
  server.move(-120_000)

  const clerk = await serviceOf('clerk', 'viewer')
  const role = { name: 'Clerks', permissions: ['service_identities:read', 'service_identities:update'] }
  assert.equal((await manage('POST', '/roles', role)).status, 201)
  await manage('POST', '/grants', { name: 'clerk', service_identity: clerk, role: 'clerks' })
  const own = (await manage('POST', '/service_identities/clerk/issue_secret', {})).body.client_secret
  const { body } = await ask({
    resource: rest,
    scope: 'management:admin',
    client_id: 'clerk',
    client_secret: own,
  })
  const asClerk = async (value: object) =>
    (
      await fetch(`${rest}/service_identities/old`, {
        method: 'PATCH',
        headers: { authorization: `Bearer ${body.access_token}`, 'content-type': 'application/json' },
        body: JSON.stringify(value),
      })
    ).status
  assert.equal(await asClerk({ keys: [] }), 403)
  assert.equal(await asClerk({ active: false }), 200)
  assert.equal(await asClerk({ active: true }), 403)
  assert.equal(await asClerk({ description: 'Was the pipeline' }), 200)
})

test('the token of a workload is exchanged for one for a resource, which lives no longer', async () => {
  const id = await serviceOf('deployer', 'modifier')
  const rule = { name: 'ci', service_identity: 'deployer', issuer: ISSUER, audience: origin, conditions: [] }
  const conditions = [{ claim: 'repository', equals: 'acme/shop' }]
  const made = await manage('POST', '/trust_rules', { ...rule, conditions })
  assert.equal(made.status, 201, JSON.stringify(made.body))
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: ISSUER, sub: 'job', aud: origin, iat: now, exp: now + 120, repository: 'acme/shop' }
  const exchange = (more: Record<string, unknown>, form: Record<string, string> = {}) =>
    postForm(`${origin}/oauth/token`, {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      client_id: 'postern-cli',
      subject_token: signedBy(issuing, { ...claims, ...more }),
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      resource: rest,
      ...form,
    })
  const { status, body } = await exchange({})
  assert.equal(status, 200, JSON.stringify(body))
  assert.equal(body.issued_token_type, 'urn:ietf:params:oauth:token-type:access_token')
  assert.equal(body.scope, 'management:read management:write')
  assert.ok(body.expires_in <= 180, 'with the tolerance for clocks')
  assert.equal(await statusOf(body.access_token, '/collections'), 200)
  assert.equal(await statusOf(body.access_token, '/grants'), 403)
  const [issued] = (await server.store.read.auditEntries({ limit: 1, operation: 'oauth.issue_token' })).items
  assert.deepEqual([issued!.actor.id, issued!.actor.name], [id, 'deployer'])
  for (const [what, answer] of [
    ['another repository', await exchange({ repository: 'evil/shop' })],
    ['another audience', await exchange({ aud: 'https://elsewhere.example' })],
    ['old', await exchange({ exp: now - 120 })],
    ['another key', await exchange({}, { subject_token: signedBy(signingKey('ci'), claims) })],
  ] as const)
    assert.equal(answer.body.error, 'invalid_grant', what)
  // Who changes a name ends nothing; what is trusted otherwise, or no more, ends what was given for it
  const given = async (): Promise<string> => (await exchange({})).body.access_token
  const change = (changes: object) => manage('PATCH', `/trust_rules/${made.body.id}`, changes)
  assert.equal((await change({ name: 'Pipelines' })).status, 200)
  assert.equal(await statusOf(body.access_token, '/collections'), 200)
  const ref = { claim: 'ref', equals: 'main' }
  assert.equal((await change({ conditions: [...conditions, ref] })).status, 200)
  assert.equal(await statusOf(body.access_token, '/collections'), 401)
  assert.equal((await change({ conditions })).status, 200)
  assert.equal(await statusOf(body.access_token, '/collections'), 200, 'it trusts the same again')
  const last = await given()
  assert.equal(await statusOf(last, '/collections'), 200)
  assert.equal((await manage('DELETE', `/trust_rules/${made.body.id}?confirm=${made.body.slug}`)).status, 200)
  assert.equal(await statusOf(last, '/collections'), 401)
  assert.equal((await manage('POST', '/trust_rules', { ...rule, conditions })).status, 201)
  assert.equal(await statusOf(last, '/collections'), 401, 'another rule gives tokens of its own')
  assert.equal(await statusOf(await given(), '/collections'), 200)
  assert.equal((await exchange({}, { resource: `${origin}/mcp` })).body.error, 'invalid_target')
  assert.equal((await exchange({}, { subject_token_type: 'urn:x' })).body.error, 'invalid_request')
})
