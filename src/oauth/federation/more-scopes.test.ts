import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import fc from 'fast-check'
import { refused } from '../../../test/control.ts'
import { beginAt, codeOf, connect, given, visit } from '../../../test/support/connected.ts'
import { connectedOrigin, type StartedFederation, startFederation } from '../../../test/support/federation.ts'
import { ScriptedServer } from '../../../test/support/scripted-as.ts'
import type { ConnectedOrigin } from './port.ts'

const HOUR = 3600_000
const challengeOf = (scope: string): string => `Bearer error="insufficient_scope", scope="${scope}"`

let server: ScriptedServer
let all: StartedFederation
let origin: ConnectedOrigin
beforeEach(async () => {
  server = await new ScriptedServer().listen()
  all = startFederation()
  origin = all.know(connectedOrigin(server.mcp))
})
afterEach(() => server[Symbol.asyncDispose]())

const answer = (refusedToken: Parameters<typeof all.federation.answer>[2] = null) =>
  all.federation.answer('ada', origin.id, refusedToken)
/** The origin refuses a call that has sent the token of now. */
const lacks = async (challenge: string) => {
  const { connection, generation } = given(await answer())
  return answer({ connection, generation, challenge })
}
const askedScopes = async (): Promise<string[]> => {
  const begun = await beginAt(all.federation, 'ada', origin, 'ada', '/connect')
  return begun.searchParams.get('scope')?.split(' ') ?? []
}

test('a call that lacks scopes leads to the page, and connecting again asks for them together with the others', async () => {
  await connect(all, origin)
  const before = given(await answer())
  const came = await lacks(challengeOf('admin write'))
  assert.equal(codeOf(came), 'connect_required')
  assert.ok(!came.ok)
  assert.equal(came.page, 'https://postern.example/connect/desk')
  assert.match(came.reason, /without the scopes "admin", which this call needs/)
  // The token is still good for other calls
  assert.equal(given(await answer()).value, before.value)
  assert.deepEqual((await all.federation.shown('ada', origin.id)).lacked, ['admin'])
  all.federation = all.restart()
  assert.deepEqual(await askedScopes(), ['read', 'write', 'admin'])
})

test('what was asked for is asked for again, and refreshes keep it', async () => {
  await connect(all, origin)
  await lacks(challengeOf('admin'))
  all.move(HOUR)
  given(await answer())
  await lacks(challengeOf('audit'))
  await connect(all, origin)
  assert.deepEqual((await all.federation.shown('ada', origin.id)).lacked, [])
  assert.deepEqual(await askedScopes(), ['read', 'write', 'admin', 'audit'])
})

test('an origin that refuses what it has asked for does not send the person to the page again', async () => {
  await connect(all, origin)
  assert.equal(codeOf(await lacks(challengeOf('admin'))), 'connect_required')
  assert.equal(codeOf(await lacks(challengeOf('admin'))), 'connect_required')
  await connect(all, origin)
  for (const challenge of [
    challengeOf('admin'),
    challengeOf('read admin'),
    challengeOf(''),
    'Bearer',
    'Basic',
  ])
    assert.equal(codeOf(await lacks(challenge)), 'credential_unavailable')
})

test('what a token lacked that is no longer in use is no concern of the new one', async () => {
  await connect(all, origin)
  const { connection, generation } = given(await answer())
  await connect(all, origin)
  given(await answer({ connection, generation, challenge: challengeOf('admin') }))
  assert.deepEqual(await askedScopes(), ['read', 'write'])
})

test('scopes that an administrator has entered are not widened by the origin', async () => {
  origin = all.know(connectedOrigin(server.mcp, { oauth: { scopes: ['read'] } }))
  await connect(all, origin)
  const came = await lacks(challengeOf('admin'))
  assert.equal(codeOf(came), 'credential_unavailable')
  assert.ok(!came.ok)
  assert.match(came.reason, /asks for the scopes "admin", which the settings of the origin leave out/)
  assert.deepEqual(await askedScopes(), ['read'])
  // The administrator enters one more
  origin = all.know(connectedOrigin(server.mcp, { oauth: { scopes: ['read', 'admin'] } }))
  assert.equal(codeOf(await lacks(challengeOf('admin'))), 'connect_required')
})

test('scopes that the authorization server does not know are given up', async () => {
  await connect(all, origin)
  await lacks(challengeOf('unheard'))
  const begun = await beginAt(all.federation, 'ada', origin, 'ada', '/connect')
  server.callback = { code: '', error: 'invalid_scope' }
  const back = await visit(begun)
  server.callback = {}
  await refused(all.federation.finish(back, 'ada'), 'credential_invalid')
  assert.deepEqual(await askedScopes(), ['read', 'write'])
  assert.equal(codeOf(await lacks(challengeOf('unheard'))), 'credential_unavailable')
})

test('scopes for one authorization server are not asked for at another', async () => {
  all = startFederation({ allow: ['127.0.0.1'] })
  all.know(origin)
  await connect(all, origin)
  await lacks(challengeOf('admin'))
  await using other = await new ScriptedServer().listen()
  server.resourceMetadata = { authorization_servers: [other.url] }
  all.move(HOUR)
  const begun = await beginAt(all.federation, 'ada', origin, 'ada', '/connect')
  assert.equal(begun.origin, other.url)
  assert.equal(begun.searchParams.get('scope'), 'read write')
})

test('where the authorization server chose the scopes, what it granted is asked for with what is lacked', async () => {
  server.resourceMetadata = { scopes_supported: [] }
  server.tokenAnswer = { scope: 'basic' }
  await connect(all, origin)
  assert.deepEqual(await askedScopes(), [])
  await lacks(challengeOf('admin'))
  assert.deepEqual(await askedScopes(), ['basic', 'admin'])
})

test('any challenge leads to an answer, and never to more than 100 scopes', async () => {
  await connect(all, origin)
  const scope = fc.stringMatching(/^[a-z]{1,8}$/)
  const challenge = fc.oneof(
    fc.string({ maxLength: 300 }),
    fc.array(scope, { maxLength: 60 }).map((scopes) => challengeOf(scopes.join(' '))),
  )
  await fc.assert(
    fc.asyncProperty(challenge, async (text) => {
      const came = await lacks(text)
      assert.ok(!came.ok)
      const { lacked } = await all.federation.shown('ada', origin.id)
      assert.ok(lacked.length <= 100)
    }),
    { numRuns: 60 },
  )
})
