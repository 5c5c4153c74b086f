/** Coding assistants of other projects sign in as their users have them do it, and keep their tools when tokens end. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { type Fixture, startFixture } from '../mcp/fixture/fixture.ts'
import { startTestServer, type TestServer } from '../scenarios/server.ts'
import { choose } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'
import { eventually } from '../support/eventually.ts'
import { message } from '../support/sign-in.ts'
import { type Ended, type Home, type Installed, makeHome, run, scopesOf, WHY_NOT } from './programs.ts'
import { startScriptedModel } from './scripted-model.ts'

/** For each step of a client, on a machine that does other things as well: milliseconds. */
const PATIENCE_MS = 60_000
/** Where they sign in, and what they ask for there: the scopes of the metadata, besides `offline_access`. */
const PLACES = [
  {
    at: 'the Management MCP',
    path: '/management/mcp',
    name: 'postern',
    tool: 'manage_collections',
    scopes: 'management:read management:write',
  },
  {
    at: 'a virtual MCP',
    path: '/mcp/desk',
    name: 'desk',
    tool: 'test_simple_text',
    scopes: 'mcp:tools mcp:prompts mcp:resources',
  },
]
/** From util-linux: gives a program the terminal that it insists on. */
const SCRIPT = '/usr/bin/script'

/** They are 740 MB, type into a terminal of their own and change often: asked for by name. */
const SKIPPED =
  process.env['ASSISTANTS'] === 'true'
    ? WHY_NOT
    : 'three assistants, 740 MB: ASSISTANTS=true npm run test:all -- test/clients/assistants.test.ts'

describe('coding assistants that are installed', { skip: SKIPPED }, () => {
  let server: TestServer
  let home: Home
  let codex: Installed
  let claude: Installed
  let gemini: Installed
  let fixture: Fixture
  before(async () => {
    home = makeHome()
    ;[codex, claude, gemini] = await Promise.all([
      home.install('@openai/codex', '0.169.0', 'bin/codex.js'),
      home.install('@anthropic-ai/claude-code', '2.1.197', 'cli-wrapper.cjs'),
      home.install('@google/gemini-cli', '0.61.0', 'bundle/gemini.js'),
    ])
    server = await startTestServer()
    await choose(new Browser(server.running.origin), (await server.running.firstLink())!.url, {
      name: 'ann',
      email: 'ann@example.com',
    })
    fixture = await startFixture()
    await made('/origins', { name: 'demo', url: fixture.url })
    const members = [{ origin: 'demo' }]
    await made('/virtual_mcps', { name: 'Desk', members, status: 'published', all_users: true })
  })
  after(async () => {
    await server.stop()
    await fixture[Symbol.asyncDispose]()
    home[Symbol.dispose]()
  })
  const made = async (path: string, body: object) => {
    const reply = await server.manage('POST', path, body)
    assert.equal(reply.status, 201, reply.text)
    return reply.json
  }
  /** What a client has to itself at a place. */
  function ownHome(client: string, { path, name }: { readonly path: string; readonly name: string }) {
    const directory = join(home.directory, `${client}-${name}`)
    mkdirSync(directory)
    const env = { ...home.env, HOME: directory, XDG_CONFIG_HOME: join(directory, 'config') }
    return { directory, env, url: server.running.origin + path }
  }

  for (const place of PLACES) {
    const { at, name, tool, scopes } = place
    test(`Codex signs in at ${at}, and lists its tools again after the access token has ended`, async (t) => {
      if ('why' in codex) return t.skip(codex.why)
      const { file } = codex
      const { directory: kept, env: own, url } = ownHome('codex', place)
      writeFileSync(join(kept, 'config.toml'), 'mcp_oauth_credentials_store = "file"\n')
      const env = { ...own, CODEX_HOME: kept }
      const ask = (...words: string[]): Promise<Ended> =>
        run(process.execPath, [file, 'mcp', ...words], { env, timeout: PATIENCE_MS })
      const added = await ask('add', name, '--url', url)
      assert.equal(added.code, 0, added.err)
      let browsed = home.browsed()
      // It signs in at once, unless it did not find out in a few seconds how: then its user asks for it
      if (browsed === '') {
        const login = await ask('login', name)
        browsed = home.browsed()
        assert.equal(login.code, 0, `${login.out}\n${login.err}\n${browsed}`)
      }
      assert.deepEqual(scopesOf(browsed), [`${scopes} offline_access`])
      assert.ok((await toolsOfCodex(file, env)).includes(tool))

      const tokens = join(kept, '.credentials.json')
      const before = endAccess(
        tokens,
        ['access_token', 'expires_at'],
        (whole) => Object.values(whole as Stored)[0]!,
      )
      assert.ok((await toolsOfCodex(file, env)).includes(tool))
      assert.deepEqual(scopesOf(home.browsed()), [])
      const [renewed] = Object.values(JSON.parse(readFileSync(tokens, 'utf8')) as Stored)
      assert.notEqual(renewed!['refresh_token'], before['refresh_token'])
      assert.equal(clientOf(browsed), 'https://chatgpt.com/oauth/codex/client.json')
      if (name === 'desk') assert.match(await callOfCodex(file, env, name, tool), /simple text/)
    })

    test(`Claude Code signs in at ${at}, and connects again after the access token has ended`, async (t) => {
      if ('why' in claude) return t.skip(claude.why)
      if (!existsSync(SCRIPT)) return t.skip(`${SCRIPT} is not there`)
      const { file } = claude
      const { directory, env: own, url } = ownHome('claude', place)
      const env = { ...own, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1', DISABLE_AUTOUPDATER: '1' }
      const ask = (...words: string[]): Promise<Ended> =>
        run(process.execPath, [file, 'mcp', ...words], { env, timeout: PATIENCE_MS })
      const connected = new RegExp(`^${name}: .*Connected$`, 'm')
      const added = await ask('add', '--scope', 'user', '--transport', 'http', name, url)
      assert.equal(added.code, 0, added.err)
      const command = `'${process.execPath}' '${file}' mcp login ${name}`
      const login = await run(SCRIPT, ['-qec', command, '/dev/null'], { env, timeout: PATIENCE_MS })
      const browsed = home.browsed()
      assert.equal(login.code, 0, `${login.out}\n${login.err}\n${browsed}`)
      assert.deepEqual(scopesOf(browsed), [`${scopes} offline_access`])
      assert.match((await ask('list')).out, connected)

      const tokens = join(directory, '.claude/.credentials.json')
      const only = (whole: unknown) => Object.values((whole as { mcpOAuth: Stored }).mcpOAuth)[0]!
      const before = endAccess(tokens, ['accessToken', 'expiresAt'], only)
      assert.match((await ask('list')).out, connected)
      assert.deepEqual(scopesOf(home.browsed()), [])
      assert.notEqual(only(JSON.parse(readFileSync(tokens, 'utf8')))['refreshToken'], before['refreshToken'])
      assert.equal(clientOf(browsed), 'https://claude.ai/oauth/claude-code-client-metadata')
      if (name === 'desk') {
        const called = `mcp__${name}__${tool}`
        await using model = await startScriptedModel(called)
        const key = { ANTHROPIC_BASE_URL: model.url, ANTHROPIC_API_KEY: 'none' }
        const prompted = await run(process.execPath, [file, '-p', 'Call it.', '--allowedTools', called], {
          env: { ...env, ...key },
          timeout: PATIENCE_MS,
        })
        assert.match(model.results.join('\n'), /simple text/, `${prompted.out}\n${prompted.err}`)
      }
    })

    test(`Gemini CLI asks for no administration at ${at}, signs in, and connects again after the access token has ended`, async (t) => {
      if ('why' in gemini) return t.skip(gemini.why)
      if (!existsSync(SCRIPT)) return t.skip(`${SCRIPT} is not there`)
      const { file } = gemini
      const { directory: own, env: ownEnv, url } = ownHome('gemini', place)
      const kept = join(own, '.gemini')
      const programs = join(own, 'programs')
      for (const directory of [kept, programs]) mkdirSync(directory)
      symlinkSync(home.env['BROWSER']!, join(programs, 'xdg-open'))
      const security = { auth: { selectedType: 'gemini-api-key' } }
      const mcpServers = { [name]: { url, type: 'http' } }
      const privacy = { usageStatisticsEnabled: false }
      writeFileSync(join(kept, 'settings.json'), JSON.stringify({ security, mcpServers, privacy }))
      writeFileSync(join(kept, 'trustedFolders.json'), JSON.stringify({ [process.cwd()]: 'TRUST_FOLDER' }))
      const env = {
        ...ownEnv,
        PATH: [programs, home.env['PATH']].join(delimiter),
        // It opens a browser only where there could be a screen
        DISPLAY: ':0',
        TERM: 'xterm-256color',
        GEMINI_API_KEY: 'none',
        GEMINI_CLI_NO_RELAUNCH: 'true',
      }
      const browsed = await signInWithGemini(file, env, name, home.browsed)
      // It asks for what the metadata of the authorization server names, at every endpoint
      assert.deepEqual(scopesOf(browsed), ['management:read management:write openid offline_access'])
      const list = (): Promise<Ended> =>
        run(process.execPath, [file, 'mcp', 'list'], { env, timeout: PATIENCE_MS })
      const connected = new RegExp(`${name}: .*Connected`)
      const first = await list()
      assert.match(first.out + first.err, connected)

      const tokens = join(kept, 'mcp-oauth-tokens.json')
      const only = (whole: unknown) => (whole as { token: Record<string, unknown> }[])[0]!.token
      const token = String(only(JSON.parse(readFileSync(tokens, 'utf8')))['accessToken'])
      const { json, text } = await message(url, token, 'tools/list')
      assert.ok(JSON.stringify(json?.result?.tools).includes(`"${tool}"`), text)
      const before = endAccess(tokens, ['accessToken', 'expiresAt'], only)
      const second = await list()
      assert.match(second.out + second.err, connected)
      assert.deepEqual(scopesOf(home.browsed()), [])
      assert.notEqual(only(JSON.parse(readFileSync(tokens, 'utf8')))['refreshToken'], before['refreshToken'])
    })
  }

  test('Claude Code is connected to a virtual MCP by the header of a profile, and not once the profile is revoked', async (t) => {
    if ('why' in claude) return t.skip(claude.why)
    const { file } = claude
    const { profiles } = await made('/clients', { name: 'acme', virtual_mcps: ['desk'] })
    const env = { ...home.env, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1', DISABLE_AUTOUPDATER: '1' }
    const ask = (...words: string[]): Promise<Ended> =>
      run(process.execPath, [file, 'mcp', ...words], { env, timeout: PATIENCE_MS })
    const url = `${server.running.gatewayUrl}/mcp/desk`
    const header = `Authorization: Bearer ${profiles[0].token}`
    const added = await ask('add', '--scope', 'user', '--transport', 'http', 'desk', url, '--header', header)
    assert.equal(added.code, 0, added.err)
    assert.match((await ask('list')).out, /^desk: .*Connected$/m)
    const revoked = await server.manage('POST', '/profiles/acme:default/revoke', {})
    assert.equal(revoked.status, 200, revoked.text)
    assert.doesNotMatch((await ask('list')).out, /^desk: .*Connected$/m)
  })
})

/** What a client keeps of each server. */
type Stored = Record<string, Record<string, unknown>>

/** The client id of the first request for authorization. */
function clientOf(browsed: string): string | null {
  const [, url] = /^opened (.*)$/m.exec(browsed)!
  return new URL(url!).searchParams.get('client_id')
}

/** Has the access token in the file of a client be over; what the file held of it. */
function endAccess(
  file: string,
  [token, expiry]: readonly [token: string, expiry: string],
  entryOf: (whole: unknown) => Record<string, unknown>,
): Record<string, unknown> {
  const whole: unknown = JSON.parse(readFileSync(file, 'utf8'))
  const entry = entryOf(whole)
  const before = { ...entry }
  // One in the past, and not 0, which may stand for none
  Object.assign(entry, { [token]: 'has-ended', [expiry]: 1 })
  writeFileSync(file, JSON.stringify(whole))
  return before
}

/**
 * Types the command for signing in into Gemini CLI, which has no other way, and confirms until the browser came back;
 * what the browser did.
 */
async function signInWithGemini(
  file: string,
  env: NodeJS.ProcessEnv,
  name: string,
  browsed: () => string,
): Promise<string> {
  const command = `stty rows 50 cols 200; exec '${process.execPath}' '${file}'`
  const child = spawn(SCRIPT, ['-qec', command, '/dev/null'], { env, timeout: PATIENCE_MS })
  const ended = once(child, 'close')
  let shown = ''
  let did = ''
  child.stdout.on('data', (piece: Buffer) => {
    shown += piece.toString()
  })
  const type = (keys: string): boolean => child.stdin.write(keys)
  try {
    for (const deadline = Date.now() + PATIENCE_MS; !did.includes('came back'); ) {
      if (Date.now() > deadline) throw new Error(`${shown.slice(-4_000)}\n${did}`)
      // What is typed before its commands are read goes to the model, which there is none of: given up, and typed again
      if (shown.includes('Starting OAuth authentication')) type('\r')
      else if (shown.includes('Type your message')) {
        type('\u001b')
        await setTimeout(1_000)
        // As pasted, so that it is not completed while it is typed
        type(`\u001b[200~/mcp auth ${name}\u001b[201~`)
        await setTimeout(1_000)
        type('\r')
        await setTimeout(1_000)
        if (!shown.includes('Starting OAuth authentication')) type('\r')
      }
      await setTimeout(1_000)
      did += browsed()
    }
    await eventually(
      () => shown.includes('Successfully authenticated'),
      () => `the end of the sign-in; ${shown.slice(-4_000)}`,
    )
    return did
  } finally {
    child.kill()
    await ended
  }
}

/** The text that a tool without arguments gives Codex, as its own editors call it. */
async function callOfCodex(
  file: string,
  env: NodeJS.ProcessEnv,
  server: string,
  tool: string,
): Promise<string> {
  const child = spawn(process.execPath, [file, 'app-server'], { env, timeout: PATIENCE_MS })
  const ended = once(child, 'close')
  const send = (message: object): boolean => child.stdin.write(`${JSON.stringify(message)}\n`)
  child.stderr.resume()
  send({ id: 1, method: 'initialize', params: { clientInfo: { name: 'test-agent', version: '1' } } })
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const { id, result, error } = JSON.parse(line)
      if (error !== undefined) throw new Error(line)
      if (id === 1) {
        send({ method: 'initialized' })
        send({ id: 2, method: 'thread/start', params: {} })
      }
      if (id === 2) {
        const threadId = result.thread.id
        send({ id: 3, method: 'mcpServer/tool/call', params: { threadId, server, tool, arguments: {} } })
      }
      if (id === 3) return JSON.stringify(result)
    }
    throw new Error('Codex ended without an answer')
  } finally {
    child.stdin.end()
    await ended
  }
}

/** The tools that Codex finds at its one MCP server, as its own editors ask for them. */
async function toolsOfCodex(file: string, env: NodeJS.ProcessEnv): Promise<string[]> {
  const child = spawn(process.execPath, [file, 'app-server'], { env, timeout: PATIENCE_MS })
  const ended = once(child, 'close')
  const send = (message: object): boolean => child.stdin.write(`${JSON.stringify(message)}\n`)
  child.stderr.resume()
  send({ id: 1, method: 'initialize', params: { clientInfo: { name: 'test-agent', version: '1' } } })
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const { id, result } = JSON.parse(line)
      if (id === 1) {
        send({ method: 'initialized' })
        send({ id: 2, method: 'mcpServerStatus/list', params: {} })
      }
      if (id === 2) return Object.keys(result.data[0].tools)
    }
    throw new Error('Codex ended without an answer')
  } finally {
    child.stdin.end()
    await ended
  }
}
