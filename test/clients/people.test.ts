/** Clients of other projects are told the URL of a virtual MCP: they sign a person in, call, refresh, and have an account connected. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { UrlElicitationRequiredError } from '@modelcontextprotocol/sdk/types.js'
import { startTestServer, type TestServer } from '../scenarios/server.ts'
import { choose } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'
import { connect, connectFrom, signedInBrowser } from '../support/connect.ts'
import { withEndedTokens } from '../support/ended-tokens.ts'
import { type GuardedOrigin, startGuardedOrigin } from '../support/guarded-origin.ts'
import { ownPort } from '../support/ports.ts'
import { callOf, inspect, installInspector } from './inspector.ts'
import { connectRemote, installRemote, type Run } from './mcp-remote.ts'
import { type Ended, type Home, type Installed, makeHome, scopesOf, WHY_NOT } from './programs.ts'

const DOCUMENT = 'https://agent.example/client.json'
const EVERY_SCOPE = 'mcp:tools mcp:prompts mcp:resources offline_access'

describe('clients that are installed, with a person at a virtual MCP', { skip: WHY_NOT }, () => {
  let server: TestServer
  let origin: GuardedOrigin
  let home: Home
  let inspector: Installed
  let remote: Installed
  let desk: string
  let browser: Browser

  async function make(path: string, body: object): Promise<void> {
    const made = await server.manage('POST', path, body)
    assert.equal(made.status, 201, made.text)
  }

  before(async () => {
    home = makeHome()
    ;[inspector, remote] = await Promise.all([installInspector(home), installRemote(home)])
    const pins = join(home.directory, 'pins.json')
    const document = {
      client_id: DOCUMENT,
      client_name: 'Pinned agent',
      redirect_uris: ['http://127.0.0.1/oauth/callback'],
    }
    writeFileSync(pins, JSON.stringify({ [DOCUMENT]: document }))
    server = await startTestServer({ workers: 2, flags: ['--cimd-pins', pins] })
    desk = `${server.running.gatewayUrl.replace('127.0.0.1', 'localhost')}/mcp/desk`
    await choose(new Browser(server.running.origin), (await server.running.firstLink())!.url, {
      name: 'ann',
      email: 'ann@example.com',
    })
    origin = await startGuardedOrigin()
    origin.account = 'ann-at-notes'
    const oauth = { scopes: ['openid', 'tools'] }
    await make('/origins', { name: 'Notes', slug: 'notes', url: origin.url, auth_mode: 'user_oauth', oauth })
    const members = [{ origin: 'notes' }]
    const shared = { status: 'published', all_users: true }
    await make('/virtual_mcps', { name: 'Desk', slug: 'desk', members, ...shared })
    browser = await signedInBrowser(server.running.origin, 'ann')
    await connect(browser, 'notes')
  })
  after(async () => {
    await server?.stop()
    await origin?.[Symbol.asyncDispose]()
    home[Symbol.dispose]()
  })

  /** The authorization server of the origin and the origin know the account no longer. */
  function forgetAccount(): void {
    origin.forgetGrants()
    origin.refuseTokens()
  }
  const connectAt = async (url: string): Promise<void> => {
    assert.match((await connectFrom(browser, await browser.open(url))).text, /Connected/)
  }

  for (const era of ['legacy', 'modern']) {
    test(`MCP Inspector registers, signs a person in, calls and refreshes in the ${era} era`, async (t) => {
      if ('why' in inspector) return t.skip(inspector.why)
      const { file } = inspector
      const ask = (...asked: string[]): Promise<Ended> =>
        inspect(home, file, desk, ['--protocol-era', era, ...asked])
      const listed = await ask('--relogin', '--method', 'tools/list')
      const browsed = home.browsed()
      assert.equal(listed.code, 0, `${listed.err}\n${browsed}`)
      assert.match(listed.out, /"whoami"/)
      assert.deepEqual(scopesOf(browsed), [EVERY_SCOPE])
      const called = await ask(...callOf('whoami'))
      assert.match(called.out, /ann-at-notes/, called.err)
      const again = await withEndedTokens(server, () => ask(...callOf('whoami')))
      assert.match(again.out, /ann-at-notes/, again.err)
      assert.equal(home.browsed(), '')
    })

    test(`MCP Inspector shows the link to an account that the origin has forgotten, in the ${era} era`, async (t) => {
      if ('why' in inspector) return t.skip(inspector.why)
      const { file } = inspector
      const ask = (): Promise<Ended> =>
        inspect(home, file, desk, ['--protocol-era', era, ...callOf('whoami')])
      forgetAccount()
      const refused = await ask()
      home.browsed()
      const link = /https?:[^"\s]+\/connect\/notes\?for=[\w.-]+/.exec(refused.out + refused.err)?.[0]
      assert.ok(link !== undefined, `${refused.code} ${refused.out} ${refused.err}`)
      await connectAt(link)
      const called = await ask()
      assert.match(called.out, /ann-at-notes/, called.err)
    })
  }

  test('MCP Inspector comes with a client metadata document', async (t) => {
    if ('why' in inspector) return t.skip(inspector.why)
    const asked = ['--relogin', '--client-metadata-url', DOCUMENT, ...callOf('whoami')]
    const { code, out, err } = await inspect(home, inspector.file, desk, asked)
    const browsed = home.browsed()
    assert.equal(code, 0, `${err}\n${browsed}`)
    assert.match(out, /ann-at-notes/)
    assert.match(browsed, new RegExp(`client_id=${encodeURIComponent(DOCUMENT)}`))
  })

  // Where it has registered itself it refreshes the token instead, which widens nothing
  test('MCP Inspector with a client metadata document asks for all the scopes that a call takes', async (t) => {
    if ('why' in inspector) return t.skip(inspector.why)
    home.tickNext(['mcp:tools'])
    const asked = ['--relogin', '--client-metadata-url', DOCUMENT, '--method', 'prompts/list']
    const { code, out, err } = await inspect(home, inspector.file, desk, asked, 'y\n')
    assert.equal(code, 0, err)
    assert.match(out, /"greeting"/)
    assert.deepEqual(scopesOf(home.browsed()), [EVERY_SCOPE, 'mcp:tools mcp:prompts offline_access'])
  })

  const connectTo = (file: string, how: Run) => connectRemote(home, file, desk, how)
  const said = (result: object): string => JSON.stringify(result)

  test('mcp-remote registers, signs a person in, and refreshes in the middle of a session', async (t) => {
    if ('why' in remote) return t.skip(remote.why)
    await using peer = await connectTo(remote.file, { kept: 'person', port: await ownPort() })
    assert.deepEqual(scopesOf(home.browsed()), [EVERY_SCOPE])
    const { tools } = await peer.client.listTools()
    assert.deepEqual(
      tools.map(({ name }) => name),
      ['whoami'],
    )
    assert.match(said(await peer.ask('whoami')), /ann-at-notes/)
    assert.match(said(await withEndedTokens(server, () => peer.ask('whoami'))), /ann-at-notes/)
    assert.match(said(await peer.ask('whoami')), /ann-at-notes/)
    assert.equal(home.browsed(), '')
  })

  test('mcp-remote asks for all the scopes that a call takes, in the middle of a session', async (t) => {
    if ('why' in remote) return t.skip(remote.why)
    home.tickNext(['mcp:tools'])
    await using peer = await connectTo(remote.file, { kept: 'narrow', port: await ownPort() })
    const { prompts } = await peer.client.listPrompts()
    assert.deepEqual(
      prompts.map(({ name }) => name),
      ['greeting'],
    )
    assert.deepEqual(scopesOf(home.browsed()), [EVERY_SCOPE, 'mcp:tools mcp:prompts offline_access'])
  })

  test('mcp-remote passes the page for a missing account to a client that opens pages, and its link to others', async (t) => {
    if ('why' in remote) return t.skip(remote.why)
    const { file } = remote
    const port = await ownPort()
    forgetAccount()
    {
      await using peer = await connectTo(file, { kept: 'plain', port })
      const refused = said(await peer.ask('whoami'))
      assert.match(refused, /\/connect\/notes\?for=.*"isError":true/)
    }
    const capabilities = { elicitation: { url: {} } }
    await using peer = await connectTo(file, { kept: 'plain', port, capabilities: { capabilities } })
    const error: unknown = await peer.ask('whoami').catch((cause: unknown) => cause)
    assert.ok(error instanceof UrlElicitationRequiredError, String(error))
    await connectAt(error.elicitations[0]!.url)
    assert.match(said(await peer.ask('whoami')), /ann-at-notes/)
  })
})
