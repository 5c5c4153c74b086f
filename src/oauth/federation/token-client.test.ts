import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { EGRESS } from '../../../test/support/egress.ts'
import { connectedOrigin } from '../../../test/support/federation.ts'
import { json, ScriptedServer } from '../../../test/support/scripted-as.ts'
import { createClock } from '../../base/clock.ts'
import { createGuardedFetch } from '../../base/net/guarded-fetch.ts'
import { sourceOf } from './discovery.ts'
import { readServerMetadata } from './metadata.ts'
import { createTokenClient, type Party } from './token-client.ts'

let server: ScriptedServer
let party: Party
before(async () => {
  server = await new ScriptedServer().listen()
  party = {
    server: readServerMetadata({ ...server.metadata() }, server.url),
    client: { id: 'client', secret: null, method: 'none', by: 'dcr' },
    sourceOf: (url) => sourceOf(connectedOrigin(server.mcp), url),
  }
})
after(() => server[Symbol.asyncDispose]())

const client = createTokenClient({
  fetch: createGuardedFetch(EGRESS, { timeoutMs: 2000, bytesMax: 100_000 }),
  clock: createClock(),
})

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('Bearer', 'a.b.c', 'invalid_grant', 'DPoP', '12', '-1', '1e999'),
)
const value = fc.oneof(text, fc.integer(), fc.double(), fc.constant(null), fc.jsonValue())
const members = fc.constantFrom(
  ...['access_token', 'token_type', 'expires_in', 'refresh_token', 'scope', 'id_token', 'error'],
  ...['error_description', 'error_uri', 'issued_token_type'],
)
const good = { access_token: 'token', token_type: 'Bearer' }
const body = fc.oneof(
  fc.dictionary(members, value).map((one) => JSON.stringify({ ...good, ...one })),
  fc.dictionary(members, value).map((one) => JSON.stringify(one)),
  fc.string(),
)
const status = fc.oneof(fc.constantFrom(200, 400, 401, 403), fc.integer({ min: 200, max: 999 }))
const head = fc.dictionary(
  fc.constantFrom('content-type', 'www-authenticate', 'location', 'set-cookie', 'dpop-nonce'),
  fc.stringMatching(/^[ -~]{0,40}$/),
)

test('any answer of a token endpoint is tokens that a header can carry, a refusal or a failure, in one line', async () => {
  await fc.assert(
    fc.asyncProperty(status, head, body, async (code, headers, content) => {
      server.acts.set('/token', (_, outgoing) => outgoing.writeHead(code, { ...headers }).end(content))
      const outcome = await client.refresh(party, 'refresh', {})
      if (outcome.kind !== 'tokens') assert.match(outcome.reason, /^[^\n\r]{1,400}$/)
      else {
        const { access, lifetime } = outcome.tokens
        assert.match(access, /^[!-~]+$/)
        assert.ok(lifetime === null || (Number.isFinite(lifetime) && lifetime >= 0))
      }
      if (code !== 200) assert.notEqual(outcome.kind, 'tokens')
    }),
    { numRuns: 300 },
  )
})

/** Odd members, and the lifetime and scope that are read of them. */
const ODD: readonly (readonly [object, number | null, string | null])[] = [
  [{ scope: null, expires_in: null, issued_token_type: null, id_token: null }, null, null],
  [{ scope: {}, expires_in: 'never', issued_token_type: 7, id_token: '' }, null, null],
  [{ scope: ['read', 7, 'write'], expires_in: -1 }, null, 'read write'],
  [{ scope: '', expires_in: '60' }, 60, ''],
  [{ expires_in: 0 }, 0, null],
]
for (const [odd, lifetime, scope] of ODD)
  test(`a refresh token that replaced another is kept beside ${JSON.stringify(odd)}`, async () => {
    server.acts.set('/token', (_, outgoing) =>
      json(outgoing, 200, { ...good, refresh_token: 'next', ...odd }),
    )
    const outcome = await client.refresh(party, 'refresh', {})
    assert.ok(outcome.kind === 'tokens', JSON.stringify(outcome))
    assert.equal(outcome.tokens.refresh, 'next')
    assert.deepEqual([outcome.tokens.lifetime, outcome.tokens.scope], [lifetime, scope])
  })

for (const refresh_token of [null, '', 5, {}])
  test(`the refresh token ${JSON.stringify(refresh_token)} is none`, async () => {
    server.acts.set('/token', (_, outgoing) => json(outgoing, 200, { ...good, refresh_token }))
    const outcome = await client.refresh(party, 'refresh', {})
    assert.ok(outcome.kind === 'tokens', JSON.stringify(outcome))
    assert.equal(outcome.tokens.refresh, null)
  })

test('an ID token that cannot be verified does not cost the tokens beside it', async () => {
  const told = { ...good, refresh_token: 'next', id_token: 'nonsense' }
  server.acts.set('/token', (_, outgoing) =>
    outgoing.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(told)),
  )
  const outcome = await client.refresh(party, 'refresh', {})
  assert.ok(outcome.kind === 'tokens')
  assert.deepEqual([outcome.tokens.refresh, outcome.tokens.idToken], ['next', 'nonsense'])
})

test('members that are null are those that a server leaves out', async () => {
  const answer = { ...good, expires_in: null, refresh_token: null, scope: null, id_token: null }
  server.acts.set('/token', (_, outgoing) => outgoing.writeHead(200).end(JSON.stringify(answer)))
  const outcome = await client.refresh(party, 'refresh', {})
  assert.ok(outcome.kind === 'tokens')
  const { access, refresh, lifetime, scope } = outcome.tokens
  assert.deepEqual([access, refresh, lifetime, scope], ['token', null, null, null])
})
