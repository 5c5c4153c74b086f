import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { ExchangingIssuer } from '../../../test/support/exchanging-issuer.ts'
import { type IdentityShared, startFederation } from '../../../test/support/federation.ts'
import { json } from '../../../test/support/scripted-as.ts'
import { createLinks } from '../../shared-state/memory/links.ts'
import { createIdentityTokens, type KeptIdentityTokens } from './identity-tokens.ts'
import { createOidcSignIn, type SignInState } from './oidc.ts'

let idp: ExchangingIssuer
let all: ReturnType<typeof startFederation>
let tokens: KeptIdentityTokens
let signIn: ReturnType<typeof createOidcSignIn>
let isWanted = true
let shared: IdentityShared
const warned: string[] = []

const providerOf = ({ url }: ExchangingIssuer) => ({
  ...{ issuer: url, clientId: 'postern', clientAuth: null, scopes: 'openid' },
  ...{ slug: null, furtherSlugs: [], groupsClaim: 'groups', roleMap: [] },
  proof: async () => ({ secret: 'secret', key: null }),
})

beforeEach(async () => {
  isWanted = true
  warned.length = 0
  idp = await new ExchangingIssuer().listen()
  const provider = providerOf(idp)
  all = startFederation({
    identity: (given) => {
      shared = given
      tokens = createIdentityTokens({ ...shared, providers: [provider], isWanted: async () => isWanted })
      signIn = createOidcSignIn({
        ...{ provider, origin: 'https://postern.example', clock: shared.clock, fetch: shared.fetch },
        // Only the id is read
        accounts: { arrive: async () => ({ id: 'ada' }) as never },
        signIns: createLinks<SignInState>(shared.clock, { max: 10 }),
        warn: (sentence) => warned.push(sentence),
        keepTokens: (account, answer) => tokens.keep(account, answer),
      })
      return tokens
    },
  })
  idp.now = () => all.clock.now()
  idp.person = { sub: 'ada', email: 'ada@example.com', groups: [] }
})
afterEach(() => idp[Symbol.asyncDispose]())

async function arrive(): Promise<void> {
  const { headers } = await fetch(await signIn.begin('one', null), { redirect: 'manual' })
  await signIn.finish(new URL(headers.get('location')!), null)
}
const keep = (lifetime = 300) => tokens.keep('ada', idp.tokens('ada', lifetime) as never)

test('the tokens of a sign-in are kept, sealed, if they are wanted', async () => {
  isWanted = false
  await arrive()
  assert.equal(await tokens.tokensOf('ada'), null)
  isWanted = true
  await arrive()
  const kept = await tokens.tokensOf('ada')
  assert.match(kept!.idToken, /^ey/)
  const [row] = all.artifacts.rows.values()
  assert.equal(row!.account_id, 'ada')
  assert.doesNotMatch(JSON.stringify(row), /opaque|eyJ/)
  assert.equal(await tokens.tokensOf('bob'), null)
})

test('a sign-in works where its tokens cannot be kept', async () => {
  all.artifacts.put = () => Promise.reject(new Error('the disk is full'))
  await arrive()
  assert.deepEqual(warned, [`The tokens of a sign-in at ${idp.url} cannot be kept.`])
})

test('tokens end with the ID token, unless they are refreshed, once for all who ask', async () => {
  await arrive()
  all.move(300_000)
  assert.equal(await tokens.tokensOf('ada'), null)
  await keep()
  const first = await tokens.tokensOf('ada')
  for (let round = 1; round <= 2; round++) {
    all.move(300_000)
    const found = await Promise.all(Array.from({ length: 10 }, () => tokens.tokensOf('ada')))
    assert.equal(new Set(found.map((one) => one!.idToken)).size, 1)
    assert.notEqual(found[0]!.idToken, first!.idToken)
    assert.equal(idp.forms.length, round)
  }
})

for (const lifetime of [300.1234, 1e300])
  test(`the tokens of an ID token that lives ${lifetime} seconds are stored until a whole millisecond`, async () => {
    const { refresh_token: _, ...answer } = idp.tokens('ada', lifetime)
    await tokens.keep('ada', answer as never)
    const [row] = all.artifacts.rows.values()
    assert.ok(Number.isSafeInteger(row!.expires_at), String(row!.expires_at))
    assert.ok(await tokens.tokensOf('ada'))
  })

test('a provider that fails keeps the tokens, and one that refuses ends them', async () => {
  await keep()
  all.move(300_000)
  idp.act = (outgoing) => json(outgoing, 503, {})
  assert.equal(await tokens.tokensOf('ada'), null)
  assert.ok(await tokens.tokensOf('ada'))
  all.move(300_000)
  idp.refreshTokens.clear()
  assert.equal(await tokens.tokensOf('ada'), null)
  assert.equal(all.artifacts.rows.size, 0)
})

test('a refresh that ends after the account did brings nothing back', async () => {
  await keep()
  all.move(300_000)
  idp.act = (outgoing) => {
    all.artifacts.rows.clear()
    json(outgoing, 200, idp.tokens('ada'))
  }
  await tokens.tokensOf('ada')
  assert.equal(all.artifacts.rows.size, 0)
  assert.equal(await tokens.tokensOf('ada'), null)
})

test('tokens of a person are refreshed at the provider that issued them, and none are shown to another provider', async () => {
  const partner = await new ExchangingIssuer().listen()
  partner.prefix = 'partner-'
  partner.now = () => all.clock.now()
  const made = (issuers: readonly ExchangingIssuer[]) =>
    createIdentityTokens({ ...shared, providers: issuers.map(providerOf), isWanted: async () => true })
  const both = made([idp, partner])
  await both.keep('ada', idp.tokens('ada') as never)
  await both.keep('bob', partner.tokens('bob') as never)
  all.move(300_000)
  for (const [user, own] of [
    ['ada', idp],
    ['bob', partner],
  ] as const) {
    const found = await both.tokensOf(user)
    assert.equal(found?.issuer, own.url)
    const outcome = await both.exchange(own.url, { subject_token: found.idToken })
    assert.equal(outcome.kind, 'tokens')
  }
  const sent = (issuer: ExchangingIssuer) =>
    issuer.forms.map((form) => form.get('refresh_token')).filter(Boolean)
  assert.deepEqual([sent(idp), sent(partner)], [['refresh-1'], ['partner-refresh-1']])
  // A provider that the settings name no more gets nothing, and neither does the one that stayed
  all.move(300_000)
  const alone = made([idp])
  assert.equal(await alone.tokensOf('bob'), null)
  assert.ok(await alone.tokensOf('ada'))
  assert.equal(sent(partner).length, 1)
  assert.deepEqual(sent(idp), ['refresh-1', 'refresh-2'])
  await partner[Symbol.asyncDispose]()
})

test('the access token is given while it holds', async () => {
  await tokens.keep('ada', { ...idp.tokens('ada', 600), expires_in: 60 } as never)
  assert.match((await tokens.tokensOf('ada'))!.accessToken!, /^idp-access/)
  all.move(60_000)
  assert.equal((await tokens.tokensOf('ada'))!.accessToken, null)
})
