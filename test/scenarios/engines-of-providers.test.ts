/** Two identity providers over the engine of another project, and clients of the SDKs whose people sign in at the second one. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type LegacyOrigin, startLegacyOrigin } from '../mcp/legacy.ts'
import { AUTHORIZED_PEERS } from '../support/authorized-clients.ts'
import { Browser, type Shown } from '../support/browser.ts'
import { type OidcEngine, startOidcEngine } from '../support/oidc-engine.ts'
import { askForManagement, leaveTo, writeProviders } from '../support/two-providers.ts'
import { startTestServer, type TestServer } from './server.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-engines-'))
let company: OidcEngine
let partner: OidcEngine
let tools: LegacyOrigin
let server: TestServer

before(async () => {
  company = await startOidcEngine()
  partner = await startOidcEngine()
  tools = await startLegacyOrigin()
  const entry = {
    ...{ slug: 'partner', name: 'Partner Ltd', issuer: partner.issuer, scopes: 'openid email groups' },
    ...{ client_id: 'postern', client_secret_file: 'partner-secret', role_map: ['group:leads=viewer'] },
  }
  server = await startTestServer({
    flags: [
      ['--oidc-issuer', company.issuer],
      ['--oidc-client-id', 'postern'],
      ['--oidc-client-secret', 'secret'],
      ['--oidc-scopes', 'openid email groups'],
      ['--oidc-providers-file', writeProviders(directory, [entry])],
    ].flat(),
  })
  const { origin } = server.running
  await company.register('postern', 'secret', `${origin}/oauth/callback`)
  await partner.register('postern', 'partner-secret', `${origin}/oauth/callback/partner`)
  for (const [path, body] of [
    ['/origins', { name: 'Old', slug: 'old', url: tools.url }],
    ['/teams', { name: 'Theirs', slug: 'theirs', idp_groups: ['partner/devs'] }],
    [
      '/virtual_mcps',
      {
        ...{ name: 'Desk', slug: 'desk', status: 'published', members: [{ origin: 'old' }] },
        teams: ['theirs'],
      },
    ],
  ] as const) {
    const made = await server.manage('POST', path, body)
    assert.equal(made.status, 201, made.text)
  }
})
after(async () => {
  await server?.stop()
  for (const one of [company, partner, tools]) await one?.[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

/** To the provider, through its pages, and back. */
async function through(browser: Browser, page: Shown, slug: string): Promise<Shown> {
  const left = await leaveTo(browser, page, slug)
  const back = await new Browser(left.url.origin).open(left.url)
  assert.equal(back.url.pathname, slug === '' ? '/oauth/callback' : `/oauth/callback/${slug}`, back.text)
  return browser.open(new URL(back.url.pathname + back.url.search, page.url))
}

test('people of both providers sign in, and what is told at the userinfo endpoint is taken over', async () => {
  const { origin } = server.running
  for (const [slug, engine, groups] of [
    ['', company, ['leads']],
    ['partner', partner, ['partner/leads']],
  ] as const) {
    engine.account = { sub: 'ada', email: `ada@${slug}company.example`, groups: ['leads'] }
    const { browser, page, redeem } = await askForManagement(origin)
    const { url } = await browser.submit(await through(browser, page, slug), { do: 'allow' })
    const { body } = await redeem(url.searchParams.get('code') ?? '')
    const token: string = body.access_token
    const { json } = await server.manage('GET', '/whoami', undefined, { token })
    assert.deepEqual([json.issuer, json.email, json.groups], [engine.issuer, engine.account.email, groups])
    const listed = await server.manage('GET', '/collections', undefined, { token })
    assert.equal(listed.status, slug === '' ? 403 : 200)
  }
})

for (const name of ['SDK v1', 'SDK v2, era found by probing', 'AI SDK'] as const)
  test(`${name} knows the URL of a virtual MCP alone, and its person signs in at the second provider`, async () => {
    partner.account = { sub: `grace of ${name}`, email: 'grace@partner.example', groups: ['devs'] }
    const { origin } = server.running
    const peer = await AUTHORIZED_PEERS[name].connect(`${origin}/mcp/desk`, async (url) => {
      const browser = new Browser(url.origin)
      const asked = await through(browser, await browser.open(url), 'partner')
      return (await browser.submit(asked, { do: 'allow' })).url
    })
    assert.ok((await peer.tools()).some((tool) => tool.name === 'fail'))
    await peer.close()
  })
