import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { CliPorts } from '../../src/surfaces/cli/ports.ts'
import { type AuthorizationTest, consent, PASSWORD, startAuthorization } from '../support/authorization.ts'
import { eventually } from '../support/eventually.ts'
import { runCommand } from './cli.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-login-'))
const file = join(directory, 'contexts.json')
let server: AuthorizationTest
before(async () => {
  server = await startAuthorization()
})
after(async () => {
  await server[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

const postern = (line: string, own: Partial<CliPorts> = {}) =>
  runCommand(directory, line.split(' '), { env: { POSTERN_CONFIG: file, POSTERN_DATA: directory }, ...own })
const credential = () => JSON.parse(readFileSync(file, 'utf8')).contexts.here.credential

/** Opens the browser of a person who signs in and allows. */
async function browsing(url: string): Promise<boolean> {
  const { url: back } = await consent(server.browser(), url)
  await fetch(back)
  return true
}

test('a person signs in by a browser, administers, and signs out', async () => {
  const made = await postern(`login ${server.origin} --context here`, {
    openBrowser: browsing,
  })
  assert.equal(made.code, 0, made.err)
  const listed = await postern('collections list -o json')
  assert.equal(listed.code, 0, listed.err)
  const before = credential()
  assert.match(before.scope, /management:read/)
  assert.notEqual(before.refresh_token, null, 'it can be renewed')

  const created = await postern('policies create --name Silver -o json')
  assert.equal(created.code, 0, created.err)
  const { body } = await server.manage('GET', '/audit?operation=policies.create')
  assert.deepEqual([body.items[0].surface, body.items[0].actor.name], ['cli', 'ann'])

  const out = await postern('logout')
  assert.deepEqual([out.code, out.err], [0, ''])
  const refused = await fetch(`${server.origin}/management/v1/policies`, {
    headers: { authorization: `Bearer ${before.access_token}` },
  })
  assert.equal(refused.status, 401)
})

test('a token that has ended is renewed with a refresh token that is used once', async () => {
  await postern(`login ${server.origin} --context here`, { openBrowser: browsing })
  const before = credential()
  const kept = JSON.parse(readFileSync(file, 'utf8'))
  kept.contexts.here.credential.expires_at = Date.now()
  writeFileSync(file, JSON.stringify(kept))
  const all = await Promise.all(['policies', 'roles', 'clients'].map((type) => postern(`${type} list`)))
  assert.deepEqual(
    all.map(({ code, err }) => [code, err]),
    all.map(() => [0, '']),
  )
  assert.notEqual(credential().refresh_token, before.refresh_token)
})

test('a device is signed in by the code that it shows', async () => {
  let shown = ''
  // It says that five seconds must pass between questions
  const impatient: typeof fetch = async (url, init) => {
    const answer = await fetch(url, init)
    if (!String(url).endsWith('/oauth/device/authorize')) return answer
    return Response.json({ ...((await answer.json()) as object), interval: 0.05 }, { status: answer.status })
  }
  const login = postern(`login --device ${server.origin} --context here`, {
    fetch: impatient,
    err: (text) => {
      shown += text
    },
  })
  await eventually(() => /enter the code/.test(shown))
  const browser = server.browser()
  const [, uri, code] = /go to (\S+) and enter the code (\S+)/.exec(shown)!
  let page = await browser.open(uri!)
  page = await browser.submit(page, { user_code: code! })
  page = await browser.submit(page, { confirm: 'yes' })
  page = await browser.submit(page, { name: 'ann', password: PASSWORD, do: 'password' })
  page = await browser.submit(page, { do: 'allow' })
  const made = await login
  assert.equal(made.code, 0, shown)
  assert.equal((await postern('policies list')).code, 0)

  // Management MCP is another resource: the same sign-in gives a token for it too, and keeps both
  const params = {
    protocolVersion: '2025-06-18',
    capabilities: {},
    clientInfo: { name: 'agent', version: '1' },
  }
  const message = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params })
  for (const time of ['first', 'again']) {
    const carried = await postern('mcp --context here', {
      lines: async function* () {
        yield message
      },
    })
    assert.equal(carried.code, 0, carried.err)
    assert.match(carried.out, /postern-management/, time)
  }
  assert.equal((await postern('policies list')).code, 0)
})
