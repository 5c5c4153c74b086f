import assert from 'node:assert/strict'
import { createPublicKey, randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import { Client, CrossAppAccessProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { postForm, postJson, startAuthorization } from '../../../test/support/authorization.ts'
import { signedBy, signingKey } from '../../../test/support/issuer.ts'

const ISSUER = 'https://id.example'
const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const issuing = signingKey('corporate')
let isReachable = true
const server = await startAuthorization({
  keysOf: (source) =>
    isReachable && source === `discovery ${ISSUER}`
      ? { ok: true, keys: [{ kid: 'corporate', alg: 'ES256', key: createPublicKey(issuing.key) }] }
      : { ok: false, reason: 'none' },
  providers: [
    {
      slug: null,
      furtherSlugs: [],
      name: 'id.example',
      issuer: ISSUER,
      clientId: 'postern',
      clientAuth: null,
      proof: async () => ({ secret: null, key: null }),
      scopes: 'openid',
      groupsClaim: 'groups',
      roleMap: [
        { claim: '*', value: null, grant: 'viewer' },
        { claim: 'group', value: 'builders', grant: 'modifier' },
      ],
      direct: null,
      audience: null,
    },
  ],
})
after(() => server[Symbol.asyncDispose]())
const { origin, manage } = server
const rest = `${origin}/management/v1`
const seconds = () => Math.floor(Date.now() / 1000)
const statusOf = async (token: string, path = '/collections'): Promise<number> =>
  (await fetch(rest + path, { headers: { authorization: `Bearer ${token}` } })).status

const agent = await clientOf('agent')
const assertionOf = (
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
  key = issuing,
): string => {
  const now = seconds()
  const whole = {
    iss: ISSUER,
    sub: 'ada',
    aud: origin,
    client_id: agent.id,
    resource: rest,
    jti: randomUUID(),
  }
  return signedBy(
    key,
    { ...whole, iat: now, exp: now + 300, ...claims },
    { typ: 'oauth-id-jag+jwt', ...header },
  )
}
const redeem = (assertion: string, form: Record<string, string> = {}, by = agent) =>
  postForm(`${origin}/oauth/token`, {
    grant_type: GRANT,
    assertion,
    client_id: by.id,
    client_secret: by.secret,
    ...form,
  })

/** A service identity that stands for a program, with a secret. */
async function clientOf(slug: string): Promise<{ readonly id: string; readonly secret: string }> {
  assert.equal((await manage('POST', '/service_identities', { name: slug, slug })).status, 201)
  const { body } = await manage('POST', `/service_identities/${slug}/issue_secret`, {})
  return { id: slug, secret: body.client_secret }
}

test('an assertion of the corporate issuer is answered with a token of its user for one resource', async () => {
  const { status, headers, body } = await redeem(
    assertionOf({ email: 'ada@id.example', groups: ['builders'] }),
  )
  assert.equal(status, 200, JSON.stringify(body))
  assert.equal(headers.get('cache-control'), 'no-store')
  assert.deepEqual(
    [body.token_type, body.scope, body.refresh_token, body.expires_in],
    ['Bearer', 'management:read management:write', undefined, 900],
  )
  const [head, claims] = body.access_token
    .split('.')
    .slice(0, 2)
    .map((part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()))
  assert.deepEqual([head.typ, claims.aud, claims.client_id], ['at+jwt', rest, 'agent'])
  assert.equal(await statusOf(body.access_token), 200)
  assert.equal(await statusOf(body.access_token, '/grants'), 403, 'no more than its user may do')
  const user = (await manage('GET', `/users/${claims.sub}`)).body
  assert.deepEqual([user.issuer, user.subject, user.email], [ISSUER, 'ada', 'ada@id.example'])
  const [issued] = (await server.store.read.auditEntries({ limit: 1, operation: 'oauth.issue_token' })).items
  assert.deepEqual([issued!.actor.type, issued!.actor.id], ['user', claims.sub])
  assert.deepEqual([issued!.resource.id, issued!.surface], ['agent', 'oauth'])
  assert.ok(issued!.diff!.some(({ value }) => value === GRANT))
})

test('what says nothing of groups takes none away', async () => {
  const tokenOf = async (claims: object) =>
    (await redeem(assertionOf({ sub: 'eva', ...claims }))).body.access_token
  const idOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()).sub
  const first = await tokenOf({ groups: ['builders'] })
  const groupsOf = async () => (await manage('GET', `/users/${idOf(first)}`)).body.groups
  await tokenOf({})
  assert.deepEqual(await groupsOf(), ['builders'])
  await tokenOf({ groups: [] })
  assert.deepEqual(await groupsOf(), [])
})

test('an assertion is good once, however often it comes at the same time, and over a restart', async () => {
  const assertion = assertionOf()
  const answers = await Promise.all(Array.from({ length: 6 }, () => redeem(assertion)))
  assert.equal(answers.filter(({ status }) => status === 200).length, 1)
  assert.ok(answers.every(({ status, body }) => status === 200 || body.error === 'invalid_grant'))
  await server.restart()
  assert.equal((await redeem(assertion)).body.error, 'invalid_grant')
})

test('an assertion is not spent while the issuer cannot be asked for its keys', async (t) => {
  t.after(() => {
    isReachable = true
  })
  const assertion = assertionOf()
  isReachable = false
  const { status, body } = await redeem(assertion)
  assert.deepEqual([status, body.error], [503, 'temporarily_unavailable'])
  isReachable = true
  assert.equal((await redeem(assertion)).status, 200)
})

test('what is no sound assertion for this client, this server and one of its resources gets nothing', async () => {
  const other = await clientOf('other')
  const now = seconds()
  const refused: readonly (readonly [string, string, ReturnType<typeof redeem>])[] = [
    ['another client', 'invalid_grant', redeem(assertionOf(), {}, other)],
    ['no client', 'invalid_grant', redeem(assertionOf({ client_id: undefined }))],
    ['another audience', 'invalid_grant', redeem(assertionOf({ aud: 'https://elsewhere.example' }))],
    ['our client id there', 'invalid_grant', redeem(assertionOf({ aud: 'postern' }))],
    [
      'one audience more',
      'invalid_grant',
      redeem(assertionOf({ aud: [origin, 'https://elsewhere.example'] })),
    ],
    ['an ID token', 'invalid_grant', redeem(assertionOf({}, { typ: 'JWT' }))],
    ['without a type', 'invalid_grant', redeem(assertionOf({}, { typ: undefined }))],
    ['an access token', 'invalid_grant', redeem(assertionOf({}, { typ: 'at+jwt' }))],
    ['another issuer', 'invalid_grant', redeem(assertionOf({ iss: 'https://evil.example' }))],
    ['another key', 'invalid_grant', redeem(assertionOf({}, {}, signingKey('corporate')))],
    ['expired', 'invalid_grant', redeem(assertionOf({ iat: now - 400, exp: now - 100 }))],
    ['too old', 'invalid_grant', redeem(assertionOf({ iat: now - 3600, exp: now + 3600 }))],
    ['of the future', 'invalid_grant', redeem(assertionOf({ iat: now + 600, exp: now + 900 }))],
    ['without iat', 'invalid_grant', redeem(assertionOf({ iat: undefined }))],
    ['without exp', 'invalid_grant', redeem(assertionOf({ exp: undefined }))],
    ['without jti', 'invalid_grant', redeem(assertionOf({ jti: undefined }))],
    ['without sub', 'invalid_grant', redeem(assertionOf({ sub: undefined }))],
    ['no token', 'invalid_grant', redeem('x.y.z')],
    ['bound to a key', 'invalid_grant', redeem(assertionOf({ cnf: { jkt: 'x' } }))],
    [
      'another resource',
      'invalid_target',
      redeem(assertionOf({ resource: 'https://elsewhere.example/mcp' })),
    ],
    ['of profiles', 'invalid_target', redeem(assertionOf({ resource: `${origin}/mcp` }))],
    [
      'two resources',
      'invalid_target',
      redeem(assertionOf({ resource: [rest, `${origin}/management/mcp`] })),
    ],
    ['no resource', 'invalid_target', redeem(assertionOf({ resource: undefined }))],
    ['asked for another', 'invalid_target', redeem(assertionOf(), { resource: `${origin}/management/mcp` })],
    ['unknown scopes', 'invalid_scope', redeem(assertionOf({ scope: 'chat.read' }))],
    [
      'more than it holds',
      'invalid_scope',
      redeem(assertionOf({ scope: 'management:read' }), { scope: 'management:admin' }),
    ],
  ]
  for (const [what, error, answer] of refused) {
    const { status, body } = await answer
    assert.deepEqual([status, body.error, body.access_token], [400, error, undefined], what)
  }
})

test('its scopes bound what may be asked for, and a broader one holds the narrower', async () => {
  const scopeOf = async (scope: string | undefined, form = {}) =>
    (await redeem(assertionOf({ scope }), form)).body.scope
  assert.equal(await scopeOf('management:read other'), 'management:read')
  assert.equal(await scopeOf('management:admin', { scope: 'management:read' }), 'management:read')
  assert.equal(
    await scopeOf('management:read', { scope: 'management:read management:admin' }),
    'management:read',
  )
  assert.equal(await scopeOf(undefined, { scope: 'management:write management:admin' }), 'management:write')
})

test('an inactive user gets no token, and being made inactive ends those that are out', async () => {
  const { body } = await redeem(assertionOf({ sub: 'leaver' }))
  assert.equal(await statusOf(body.access_token), 200)
  const { sub } = JSON.parse(Buffer.from(body.access_token.split('.')[1], 'base64url').toString())
  assert.equal((await manage('PATCH', `/users/${sub}`, { active: false })).status, 200)
  assert.equal(await statusOf(body.access_token), 401)
  assert.equal((await redeem(assertionOf({ sub: 'leaver' }))).body.error, 'invalid_grant')
})

test('a client that keeps no secret redeems nothing; one that registered with a secret does', async () => {
  const registered = async (method: string) =>
    (
      await postJson(`${origin}/oauth/register`, {
        client_name: 'Web app',
        redirect_uris: ['https://app.example/callback'],
        grant_types: ['authorization_code', GRANT],
        token_endpoint_auth_method: method,
      })
    ).body
  const open = await registered('none')
  const form = {
    grant_type: GRANT,
    client_id: open.client_id,
    assertion: assertionOf({ client_id: open.client_id }),
  }
  assert.equal((await postForm(`${origin}/oauth/token`, form)).body.error, 'unauthorized_client')
  const { client_id: id, client_secret: secret } = await registered('client_secret_post')
  assert.equal((await redeem(assertionOf({ client_id: id }), {}, { id, secret })).status, 200)
})

test('the metadata announces it where there is a corporate issuer', async () => {
  for (const path of ['oauth-authorization-server', 'openid-configuration']) {
    const metadata = (await (await fetch(`${origin}/.well-known/${path}`)).json()) as Record<string, string[]>
    assert.ok(metadata['grant_types_supported']!.includes(GRANT))
    assert.deepEqual(metadata['authorization_grant_profiles_supported'], [
      'urn:ietf:params:oauth:grant-profile:id-jag',
    ])
  }
})

test('an official SDK client comes in so, without a browser', async () => {
  const asked: string[] = []
  const authProvider = new CrossAppAccessProvider({
    clientId: agent.id,
    clientSecret: agent.secret,
    expectedIssuer: origin,
    assertion: ({ authorizationServerUrl, resourceUrl, scope }) => {
      asked.push(authorizationServerUrl, resourceUrl)
      return assertionOf({ aud: authorizationServerUrl, resource: resourceUrl, scope })
    },
  })
  const client = new Client({ name: 'test-agent', version: '1' })
  await client.connect(
    new StreamableHTTPClientTransport(new URL(`${origin}/management/mcp`), { authProvider }),
  )
  assert.ok((await client.listTools()).tools.length > 0)
  assert.deepEqual(
    asked.map((url) => url.replace(/\/$/, '')),
    [origin, `${origin}/management/mcp`],
  )
  await client.close()
})
