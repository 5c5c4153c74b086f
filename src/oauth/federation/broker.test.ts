import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, test } from 'node:test'
import { refused } from '../../../test/control.ts'
import { codeOf, connect, given } from '../../../test/support/connected.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { connectedOrigin, type StartedFederation, startFederation } from '../../../test/support/federation.ts'
import { json, ScriptedServer, type TokenAct } from '../../../test/support/scripted-as.ts'
import type { ConnectedOrigin } from './port.ts'

const HOUR = 3600_000

let server: ScriptedServer
let all: StartedFederation
let origin: ConnectedOrigin
beforeEach(async () => {
  server = await new ScriptedServer().listen()
  all = startFederation()
  origin = all.know(connectedOrigin(server.mcp))
})
afterEach(() => server[Symbol.asyncDispose]())

const answer = (user = 'ada', refusedToken: Parameters<typeof all.federation.answer>[2] = null) =>
  all.federation.answer(user, origin.id, refusedToken)
const stateOf = async (user = 'ada') => (await all.federation.shown(user, origin.id)).state
const events = () => all.happened.map(({ event }) => event)

test('refresh: a reset connection keeps the grant, 50 parallel calls refresh once', async () => {
  await connect(all, origin)
  const first = given(await answer())
  server.refreshActs.push((_, outgoing) => outgoing.socket!.destroy())
  assert.equal(codeOf(await answer('ada', first)), 'credential_unavailable')
  // The old token stays in use to its end
  assert.equal(given(await answer()).value, first.value)
  all.move(HOUR)
  const answers = await Promise.all(Array.from({ length: 50 }, () => answer()))
  assert.equal(server.refreshes(), 2)
  const values = new Set(answers.map((one) => given(one).value))
  assert.equal(values.size, 1)
  assert.ok(!values.has(first.value))
  assert.deepEqual(events(), ['connected'])
})

test("two users refreshing the same upstream never receive each other's token", async () => {
  const users = ['ada', 'bob', 'eve']
  for (const user of users) {
    server.user = user
    await connect(all, origin, user)
  }
  all.move(HOUR)
  const calls = Array.from({ length: 30 }, (_, index) => users[index % users.length]!)
  const answers = await Promise.all(calls.map((user) => answer(user)))
  for (const [index, one] of answers.entries())
    assert.match(given(one).value, new RegExp(`^Bearer access-${calls[index]}-`))
  assert.equal(server.refreshes(), 3)
})

test('a token is refreshed before its end, in the background, while it still holds', async () => {
  all = startFederation()
  all.know(origin)
  await connect(all, origin)
  const first = given(await answer())
  assert.ok(first.until <= all.clock.now() + HOUR - 60_000)
  all.move(HOUR - 61_000)
  assert.equal(given(await answer()).value, first.value)
  assert.equal(server.refreshes(), 0)
  let release = (): void => undefined
  server.refreshActs.push((form, outgoing) => {
    release = () => server.refresh(form, outgoing)
  })
  all.move(2000)
  const held = given(await answer())
  assert.equal(held.value, first.value)
  assert.ok(held.until <= all.clock.now() + 5000)
  await eventually(() => server.refreshes() === 1)
  assert.equal(given(await answer()).value, first.value)
  release()
  await eventually(async () => given(await answer()).generation === 2)
  assert.equal(server.refreshes(), 1)
})

test('a token with a short life is refreshed in its last quarter', async () => {
  server.lifetime = 40
  await connect(all, origin)
  all.move(29_000)
  given(await answer())
  assert.equal(server.refreshes(), 0)
  all.move(2000)
  given(await answer())
  await eventually(() => server.refreshes() === 1)
})

const reply =
  (status: number, value: unknown): TokenAct =>
  (_, outgoing) =>
    json(outgoing, status, value)
const TRANSIENT: Readonly<Record<string, TokenAct>> = {
  'a reset connection': (_, outgoing) => outgoing.socket!.destroy(),
  'an answer that breaks off': (_, outgoing) => {
    outgoing.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' })
    outgoing.write('{"access_token":', () => outgoing.socket!.destroy())
  },
  'no answer in time': () => undefined,
  'an answer without an end': (_, outgoing: ServerResponse) => outgoing.writeHead(200).write('{'),
  'a huge answer': reply(200, { access_token: 'x'.repeat(200_000) }),
  'status 500': reply(500, { error: 'invalid_grant' }),
  'status 503': reply(503, {}),
  'status 429': reply(429, {}),
  'a page': (_, outgoing) => outgoing.writeHead(200, { 'content-type': 'text/html' }).end('<p>Sign in</p>'),
  'a page with status 400': (_, outgoing) => outgoing.writeHead(400).end('<p>Blocked</p>'),
  'a redirect': (_, outgoing) => outgoing.writeHead(302, { location: 'https://evil.example/' }).end(),
  temporarily_unavailable: reply(400, { error: 'temporarily_unavailable' }),
  'a token that is none': reply(200, { access_token: 7, token_type: 'Bearer' }),
}
const SILENT: ReadonlySet<string> = new Set(['no answer in time', 'an answer without an end'])
for (const [what, act] of Object.entries(TRANSIENT))
  test(`${what} keeps the grant, and the next refresh works`, async () => {
    await connect(all, origin)
    const first = given(await answer())
    all.move(HOUR)
    server.refreshActs.push(act)
    // Only where no answer comes: others may be slow on a busy machine
    if (SILENT.has(what)) all.limits.timeoutMs = 300
    assert.equal(codeOf(await answer()), 'credential_unavailable')
    all.limits.timeoutMs = 20_000
    assert.equal(await stateOf(), 'connected')
    // Not asked again at once
    assert.equal(codeOf(await answer()), 'credential_unavailable')
    assert.equal(server.refreshes(), 1)
    all.move(1000)
    const next = given(await answer())
    assert.deepEqual([next.connection, next.generation], [first.connection, 2])
    assert.deepEqual(events(), ['connected'])
  })

test('a server that answers a refresh twice is heard once, and the next refresh works', async () => {
  await connect(all, origin)
  const first = given(await answer())
  server.refreshActs.push((form, outgoing) => {
    server.spent.add(form.get('refresh_token')!)
    const answers = [1, 2].map(() => JSON.stringify(server.issue({ user: 'ada', resource: server.mcp })))
    for (const text of answers)
      outgoing.socket!.write(
        `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
      )
    seconds.push((JSON.parse(answers[1]!) as { access_token: string }).access_token)
  })
  const seconds: string[] = []
  for (const generation of [2, 3]) {
    all.move(HOUR)
    const next = given(await answer())
    assert.deepEqual([next.connection, next.generation], [first.connection, generation])
    assert.ok(!seconds.includes(next.value.replace('Bearer ', '')))
  }
  assert.equal(server.refreshes(), 2)
  assert.deepEqual(events(), ['connected'])
})

test('failed refreshes are tried less and less often', async () => {
  await connect(all, origin)
  all.move(HOUR)
  server.refreshActs.push(...Array.from({ length: 20 }, () => reply(503, {})))
  for (let second = 0; second < 60; second++) {
    await answer()
    all.move(1000)
  }
  assert.equal(server.refreshes(), 6)
})

test('a token endpoint that has moved is found', async () => {
  await connect(all, origin)
  server.acts.set('/token', (_, outgoing) => json(outgoing, 404, {}))
  server.acts.set('/moved', (_, outgoing, body) => server.refresh(new URLSearchParams(body), outgoing))
  server.serverMetadata = { token_endpoint: `${server.url}/moved` }
  all.move(HOUR)
  for (const wait of [1000, 2000, 4000]) {
    assert.equal(server.times('/moved'), 0)
    await answer()
    all.move(wait)
  }
  assert.equal(given(await answer()).generation, 2)
  all.move(HOUR)
  assert.equal(given(await answer()).generation, 3)
  assert.equal(server.times('/token'), 4)
})

for (const error of ['invalid_grant', 'invalid_client', 'bad_refresh_token'])
  test(`${error} ends the connection, and the person is asked to connect again`, async () => {
    await connect(all, origin)
    const first = given(await answer())
    all.move(HOUR)
    server.refreshActs.push(
      reply(error === 'bad_refresh_token' ? 200 : 400, { error, error_description: 'over' }),
    )
    const answers = await Promise.all([answer(), answer(), answer()])
    for (const one of answers) assert.equal(codeOf(one), 'connect_required')
    assert.equal(answers[0]!.ok ? null : answers[0]!.page, 'https://postern.example/connect/desk')
    assert.equal(await stateOf(), 'refresh_failed')
    assert.deepEqual(events(), ['connected', 'refresh_failed'])
    assert.equal(all.happened[1]!.reason, `it answered ${error}: over`)
    assert.deepEqual(all.ended, [first.connection])
    await connect(all, origin)
    assert.notEqual(given(await answer()).connection, first.connection)
  })

test('an error that only the person can mend asks the person, and keeps the grant', async () => {
  await connect(all, origin)
  all.move(HOUR)
  server.refreshActs.push(reply(400, { error: 'invalid_scope' }))
  assert.equal(codeOf(await answer()), 'connect_required')
  assert.equal(await stateOf(), 'connected')
  all.move(1000)
  given(await answer())
})

test('a rotated refresh token is stored before it is used, and a store that fails does not lose it', async () => {
  await connect(all, origin)
  all.move(HOUR)
  all.connections.failing = 2
  assert.equal(codeOf(await answer()), 'credential_unavailable')
  all.move(1000)
  assert.equal(codeOf(await answer()), 'credential_unavailable')
  all.move(2000)
  assert.equal(given(await answer()).generation, 2)
  assert.equal(server.refreshes(), 1)
  all.move(HOUR)
  // Another process reads the rotated token from the store
  assert.ok((await all.restart().answer('ada', origin.id, null)).ok)
})

test('a refresh token that is not rotated stays', async () => {
  server.rotates = false
  await connect(all, origin)
  server.isRefreshing = false
  for (const generation of [2, 3]) {
    all.move(HOUR)
    assert.equal(given(await answer()).generation, generation)
  }
})

test('a token that an origin refuses is refreshed once, at most once a second', async () => {
  await connect(all, origin)
  const first = given(await answer())
  const second = given(await answer('ada', first))
  assert.deepEqual([second.connection, second.generation], [first.connection, 2])
  assert.equal(server.refreshes(), 1)
  // Another thread comes with the token of before
  assert.equal(given(await answer('ada', first)).value, second.value)
  assert.equal(codeOf(await answer('ada', second)), 'credential_unavailable')
  assert.equal(server.refreshes(), 1)
  all.move(1000)
  assert.equal(given(await answer('ada', second)).generation, 3)
  // Of a connection that is no more
  assert.equal(given(await answer('ada', { connection: 'other', generation: 99 })).generation, 3)
  assert.equal(server.refreshes(), 2)
})

test('a token without a refresh token ends with its life, or when the origin refuses it', async () => {
  server.isRefreshing = false
  await connect(all, origin)
  all.move(HOUR - 1000)
  const last = given(await answer())
  assert.ok(last.until <= all.clock.now() + 1000)
  all.move(1000)
  assert.equal(codeOf(await answer()), 'connect_required')
  assert.equal(await stateOf(), 'refresh_failed')
  server.lifetime = null
  await connect(all, origin)
  const endless = given(await answer())
  all.move(100 * HOUR)
  assert.equal(given(await answer()).value, endless.value)
  assert.equal(codeOf(await answer('ada', endless)), 'connect_required')
  assert.equal(all.happened.at(-1)!.reason, 'Desk refuses the token, and there is no refresh token')
})

/** A refresh that waits for {@link release}. */
function heldRefresh() {
  const held = { release: (): unknown => assert.fail('nothing is held') }
  server.refreshActs.push((form, outgoing) => {
    held.release = () => server.refresh(form, outgoing)
  })
  return held
}

test('an answer that comes after disconnecting revives nothing, and its tokens are revoked', async () => {
  all = startFederation()
  all.know(origin)
  await connect(all, origin)
  all.move(HOUR)
  const held = heldRefresh()
  const waiting = answer()
  await eventually(() => server.refreshes() === 1)
  assert.equal(await all.federation.disconnect('ada', origin), true)
  held.release()
  assert.equal(codeOf(await waiting), 'connect_required')
  assert.equal(await stateOf(), 'none')
  assert.equal(server.accessTokens.size, 0)
})

test('a connection that is switched off during a refresh keeps the new tokens, and gives them once it is on again', async () => {
  all = startFederation()
  all.know(origin)
  await connect(all, origin)
  all.move(HOUR)
  const held = heldRefresh()
  const waiting = answer()
  await eventually(() => server.refreshes() === 1)
  await all.switchConnection('ada', origin.id, false)
  held.release()
  assert.equal(codeOf(await waiting), 'credential_unavailable')
  await all.switchConnection('ada', origin.id, true)
  assert.equal(given(await answer()).generation, 2)
  assert.equal(server.refreshes(), 1)
})

test('an account that is connected anew during a refresh gives the new tokens alone', async () => {
  all = startFederation()
  all.know(origin)
  await connect(all, origin)
  all.move(HOUR)
  const held = heldRefresh()
  const waiting = answer()
  await eventually(() => server.refreshes() === 1)
  await connect(all, origin)
  const anew = given(await answer())
  held.release()
  assert.equal(given(await waiting).value, anew.value)
  assert.equal(given(await answer()).value, anew.value)
})

test('disconnecting revokes both tokens, and counts here whatever the server answers', async () => {
  await connect(all, origin)
  const first = given(await answer())
  assert.equal(await all.federation.disconnect('ada', origin), true)
  assert.deepEqual(
    server.forms.filter(({ path }) => path === '/revoke').map(({ form }) => form.get('token_type_hint')),
    ['refresh_token', 'access_token'],
  )
  assert.deepEqual([server.refreshTokens.size, server.accessTokens.size], [0, 0])
  assert.deepEqual(all.ended, [first.connection])
  assert.deepEqual(events(), ['connected', 'disconnected'])
  assert.equal(await all.federation.disconnect('ada', origin), false)

  await connect(all, origin)
  server.acts.set('/revoke', () => undefined)
  assert.equal(await all.federation.disconnect('ada', origin), true)
  assert.equal(codeOf(await answer()), 'connect_required')
})

test('what an administrator has switched off, its person cannot switch on', async () => {
  await connect(all, origin)
  const first = given(await answer())
  assert.equal(await all.switchConnection('ada', origin.id, false), true)
  assert.deepEqual(all.ended, [first.connection])
  assert.equal(await stateOf(), 'switched_off')
  assert.equal(codeOf(await answer()), 'credential_unavailable')
  await refused(connect(all, origin), 'permission_denied')
  assert.equal(await all.federation.disconnect('ada', origin), true)
  assert.equal(await all.federation.disconnect('ada', origin), false)
  await refused(connect(all, origin), 'permission_denied')
  assert.equal(await all.switchConnection('ada', origin.id, true), true)
  assert.equal(await stateOf(), 'refresh_failed')
  await connect(all, origin)
  assert.notEqual(given(await answer()).connection, first.connection)
  assert.equal(await all.switchConnection('bob', origin.id, true), false)
})

test('a key is sent in the header that the origin wants, until the origin refuses it', async () => {
  const keyHeader = { name: 'X-Api-Key', prefix: '' }
  origin = all.know(connectedOrigin(server.mcp, { mode: 'user_key', keyHeader }))
  await refused(all.federation.keepKey('ada', origin, 'a\r\nb'), 'input_invalid')
  await refused(all.federation.keepKey('ada', origin, ''), 'input_invalid')
  await refused(all.federation.keepKey('', origin, 'key'), 'configuration_invalid')
  await all.federation.keepKey('ada', origin, 'k 1')
  const one = given(await answer())
  assert.deepEqual([one.header, one.value], ['X-Api-Key', 'k 1'])
  assert.equal(codeOf(await answer('bob')), 'connect_required')
  assert.equal(codeOf(await answer('ada', one)), 'connect_required')
  await all.federation.keepKey('ada', origin, 'k2')
  assert.deepEqual(all.ended, [one.connection])
  assert.equal(given(await answer('ada', one)).value, 'k2')
  assert.equal(await all.federation.disconnect('ada', origin), true)
  assert.equal(codeOf(await answer()), 'connect_required')
})

test('a connection of another kind than the origin asks for, or sealed for another person, gives nothing', async () => {
  await connect(all, origin)
  const row = (await all.connections.one('ada', origin.id))!
  await all.connections.put({ ...row, user: 'eve' })
  assert.equal(codeOf(await answer('eve')), 'connect_required')
  all.know({ ...origin, mode: 'user_key' })
  assert.equal(codeOf(await answer()), 'connect_required')
})

test('what a person has connected at one host is sent to no other', async () => {
  await connect(all, origin)
  all.know({ ...origin, url: `${server.url}/v2/mcp` })
  given(await answer())
  all.know({ ...origin, url: 'https://other.example/mcp' })
  assert.equal(codeOf(await answer()), 'connect_required')
  const keyed = all.know(connectedOrigin(server.mcp, { mode: 'user_key' }))
  await all.federation.keepKey('ada', keyed, 'key')
  all.know({ ...keyed, url: 'https://other.example/mcp' })
  assert.equal(codeOf(await answer()), 'connect_required')
})

test('an answer never rejects, and a fault tells no secret', async () => {
  await connect(all, origin)
  assert.equal(codeOf(await all.federation.answer('ada', 'unknown', null)), 'credential_unavailable')
  assert.equal(codeOf(await all.federation.answer('', origin.id, null)), 'credential_unavailable')
  all.connections.one = () => Promise.reject(new Error('the disk is gone'))
  assert.equal(codeOf(await answer()), 'credential_unavailable')
  assert.deepEqual(all.warned, ['A connection cannot be used: the disk is gone.'])
})

test('of accounts that end together, few are revoked at the same time, and a bounded number at all', async () => {
  await connect(all, origin)
  const row = [...all.connections.rows.values()][0]!
  let [open, most] = [0, 0]
  server.acts.set('/revoke', async (_, outgoing) => {
    most = Math.max(most, ++open)
    await new Promise((done) => setImmediate(done))
    open--
    outgoing.writeHead(200).end()
  })
  await Promise.all(Array.from({ length: 100 }, () => all.federation.revoke(row)))
  assert.ok(most <= 16, `${most}`)
  assert.equal(server.times('/revoke'), 200)
  assert.deepEqual(all.warned, [])
  const many = Array.from({ length: 6000 }, () => all.federation.revoke({ ...row, sealed: '' }))
  assert.match(all.warned.join(), /^Too many accounts were disconnected[^,]*$/)
  await Promise.all(many)
})
