import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { sampleOperations } from '../../../test/fixtures/sample-operations.ts'
import { cliPorts } from '../../../test/support/cli-ports.ts'
import { SignInServer } from '../../../test/support/sign-in-server.ts'
import type { CliPorts } from './ports.ts'
import { runCli } from './program.ts'

let server: SignInServer
let directory: string
beforeEach(async () => {
  server = await new SignInServer().listen()
  directory = mkdtempSync(join(tmpdir(), 'postern-login-'))
})
afterEach(async () => {
  await server[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

const file = () => join(directory, 'postern', 'config.json')
const kept = () => JSON.parse(readFileSync(file(), 'utf8'))

/** Runs a command whose browser goes wherever it is sent. */
async function postern(line: string, own: Partial<CliPorts> = {}) {
  const pages: Promise<string>[] = []
  const ports = cliPorts({
    operations: sampleOperations,
    env: { XDG_CONFIG_HOME: directory, POSTERN_DATA: join(directory, 'none') },
    openBrowser: async (url) => {
      pages.push(fetch(url).then((page) => page.text()))
      return true
    },
    ...own,
  })
  const code = await runCli(ports, line.split(' '))
  return { code, ...ports.printed, page: (await Promise.all(pages))[0] ?? '' }
}

test('a browser signs in by a code with PKCE, and the context calls with what it was given', async () => {
  const made = await postern(`login ${server.url}`)
  assert.equal(made.code, 0, made.err)
  assert.match(made.page, /You are signed in/)
  const [exchange] = server.tokenRequests
  assert.equal(exchange!['client_id'], 'postern-cli')
  assert.equal(exchange!['resource'], `${server.url}/management/v1`)
  assert.equal(statSync(file()).mode & 0o777, 0o600)
  const name = new URL(server.url).host.replace(':', '-')
  assert.equal(kept().current, name)

  const listed = await postern('gadgets list -o json')
  assert.equal(listed.code, 0, listed.err)
  const shown = await postern('context show -o json')
  const context = JSON.parse(shown.out)
  assert.deepEqual(
    [context.credential, context.scope, context.issuer],
    ['oauth', 'management:read', server.url],
  )
  assert.doesNotMatch(shown.out, /access-|refresh-/)
})

test('an answer that is not of this sign-in is not taken: another state, another issuer, a refusal', async () => {
  server.redirected = { iss: 'https://elsewhere.example' }
  const foreign = await postern(`login ${server.url}`)
  assert.equal(foreign.code, 1)
  assert.match(foreign.err, /^error: Not signed in: /m)
  assert.match(foreign.page, /You are not signed in/)
  assert.equal(server.tokenRequests.length, 0)

  server.redirected = { error: 'access_denied', error_description: '<b>no</b>' }
  const denied = await postern(`login ${server.url}`)
  assert.match(denied.err, /Not signed in: access_denied: <b>no<\/b>/)
  assert.match(denied.page, /access_denied: &#60;b&#62;no/)

  server.redirected = {}
  let status = 0
  const forged = await postern(`login ${server.url}`, {
    openBrowser: async (url) => {
      const back = new URL(new URL(url).searchParams.get('redirect_uri')!)
      back.search = '?code=stolen&state=guessed'
      void fetch(back)
        .then((page) => {
          status = page.status
        })
        .then(() => fetch(url))
      return true
    },
  })
  assert.equal(status, 400)
  assert.equal(forged.code, 0, 'the true answer is still waited for')
  assert.notEqual(server.tokenRequests.at(-1)!['code'], 'stolen')
})

test('a device is signed in once its code was entered', async () => {
  const made = await postern(`login --device ${server.url} --context staging`)
  assert.equal(made.code, 0, made.err)
  assert.match(made.err, /go to http\S+\/activate and enter the code BDWP-HQPK/)
  assert.equal(server.tokenRequests.length, 3)
  assert.equal(kept().contexts.staging.url, server.url)
})

test('who has no browser to open is sent to another device at once, or told of that', async () => {
  const none = await postern(`login ${server.url} --context here`, { openBrowser: async () => false })
  assert.equal(none.code, 0, none.err)
  assert.match(
    none.err,
    /^No browser can be opened here\. Use another device to sign in\.\nOn any device, go to/,
  )

  const told = Promise.withResolvers<string>()
  let err = ''
  const waits = postern(`login ${server.url} --no-browser --context here`, {
    openBrowser: () => assert.fail('asked not to'),
    err: (text) => {
      err += text
      if (text.includes('Waiting')) told.resolve(err)
    },
  })
  const said = await told.promise
  assert.match(said, /at most five minutes[\s\S]+postern login --device/)
  await fetch(/http\S+\/authorize\S+/.exec(said)![0])
  assert.equal((await waits).code, 0)

  server.hasDevices = false
  const alone = await postern(`login ${server.url} --context here`, {
    openBrowser: async (url) => {
      void fetch(url)
      return false
    },
  })
  assert.equal(alone.code, 0, alone.err)
  assert.doesNotMatch(alone.err, /device/)
})

test('commands at the same time renew a token once, and one of them never burns the refresh token of another', async () => {
  server.expiresIn = 1
  await postern(`login ${server.url}`)
  server.expiresIn = 3600
  server.tokenRequests.length = 0
  const all = await Promise.all([1, 2, 3].map(() => postern('gadgets list')))
  assert.deepEqual(
    all.map(({ code, err }) => [code, err]),
    [1, 2, 3].map(() => [0, '']),
  )
  assert.equal(server.tokenRequests.length, 1)
  assert.equal(server.wasReused, false)

  server.expiresIn = 1
  await postern(`login ${server.url}`)
  server.endAll()
  const ended = await postern('gadgets list -o json')
  assert.equal(ended.code, 2)
  assert.match(JSON.parse(ended.err).detail, /no longer signed in .*invalid_grant.*postern login --context/)
})

test('logout revokes both tokens and forgets them, also where nobody answers', async () => {
  await postern(`login ${server.url} --context a`)
  const { access_token, refresh_token } = kept().contexts.a.credential
  const out = await postern('logout')
  assert.deepEqual([out.code, out.out], [0, 'Signed out of a.\n'])
  assert.deepEqual(server.revoked, [refresh_token, access_token])
  assert.equal(kept().contexts.a.credential.kind, 'none')
  const after = await postern('gadgets list')
  assert.match(after.err, /The context a has no token\. Run postern login --context a\./)
  assert.equal((await postern('logout')).code, 2)

  await postern('login --context a')
  const unreachable = await postern('logout', { fetch: () => Promise.reject(new Error('no network')) })
  assert.equal(unreachable.code, 1)
  assert.match(unreachable.err, /^warning: the tokens are deleted here, but the server did not revoke them/)
  assert.equal(kept().contexts.a.credential.kind, 'none')
})

test('an address that names another resource, no issuer, or nothing at all is refused with what to do', async () => {
  server.metadata = { resource: 'https://other.example/management/v1' }
  const other = await postern(`login ${server.url}`)
  assert.match(other.err, /names https:\/\/other\.example\/management\/v1 as its URL\. Sign in with that URL/)
  server.metadata = { authorization_servers: undefined }
  assert.match((await postern(`login ${server.url}`)).err, /names no authorization server/)
  assert.match(
    (await postern(`login ${server.url}/elsewhere`)).err,
    /Check that this is the URL of a Postern instance\./,
  )
  const nowhere = await postern('login')
  assert.deepEqual([nowhere.code, server.tokenRequests.length], [2, 0])
})
