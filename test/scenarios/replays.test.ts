/** Assertions and tokens that come again: at the same time, after a restart of the process, and at another endpoint. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { type LegacyOrigin, startLegacyOrigin } from '../mcp/legacy.ts'
import { type AgentClient, addAgent, exchange } from '../support/agents.ts'
import { postForm } from '../support/authorization.ts'
import { eventually } from '../support/eventually.ts'
import { Issuer, signedBy, signingKey } from '../support/issuer.ts'
import { message } from '../support/sign-in.ts'
import { killNow, runPostern, startUp, temporaryDirectory, type UpProcess } from './process.ts'
import { call } from './server.ts'

const key = signingKey('corporate')
let data: string
let up: UpProcess
let issuer: Issuer
let origin: LegacyOrigin
let base: string
let admin: string
let service: AgentClient
let agent: AgentClient

const api = {
  manage: (method: string, path: string, body?: unknown) =>
    call(method, `${up.controlUrl}/management/v1${path}`, {
      token: admin,
      ...(body === undefined ? {} : { body }),
    }),
}

async function make(path: string, body: object): Promise<void> {
  const made = await api.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
}

async function start(args: readonly string[] = []): Promise<void> {
  const provider = { issuer: issuer.url, 'client-id': 'postern', 'client-secret': 'secret' }
  const flags = Object.entries(provider).flatMap(([name, value]) => [`--oidc-${name}`, value])
  up = await startUp(data, ['--workers', '2', ...flags, ...args])
  base = up.gatewayUrl.replace('127.0.0.1', 'localhost')
}

/** Ends the process, by a signal or as a power cut, and starts another one on the same data and addresses. */
async function restart(isHard: boolean): Promise<void> {
  const addresses = ['--listen', new URL(up.gatewayUrl).host, '--control-listen', new URL(up.controlUrl).host]
  if (isHard) await killNow(up)
  else {
    up.child.kill('SIGTERM')
    await up.ended
  }
  await start(addresses)
}

before(async () => {
  data = await temporaryDirectory()
  issuer = await new Issuer(key).listen()
  origin = await startLegacyOrigin()
  await start()
  const issued = await runPostern(['token', '--role', 'admin', '--ttl', '1h', '--data', data])
  assert.equal(issued.code, 0, issued.stderr)
  admin = issued.stdout.trim()
  await make('/origins', { name: 'Old', slug: 'old', url: origin.url })
  const shared = { status: 'published', members: [{ origin: 'old' }], all_users: true }
  for (const slug of ['desk', 'other']) await make('/virtual_mcps', { ...shared, name: slug, slug })
  await make('/teams', { name: 'Devs', slug: 'devs', idp_groups: ['devs'] })
  await make('/service_identities', { name: 'Assistant', slug: 'assistant' })
  const { json } = await api.manage('POST', '/service_identities/assistant/issue_secret', {})
  service = { id: 'assistant', secret: json.client_secret }
  await make('/hosts', { name: 'Concierge', slug: 'concierge' })
  agent = await addAgent(api, {
    ...{ slug: 'people', host: 'concierge', virtual_mcp: 'desk' },
    acts_for: { teams: ['devs'] },
  })
})
after(async () => {
  await killNow(up)
  await Promise.all([issuer, origin].map((one) => one?.[Symbol.asyncDispose]()))
  await rm(data, { recursive: true, force: true })
})

function assertion(): string {
  const now = Math.floor(Date.now() / 1000)
  const claims = {
    ...{ iss: issuer.url, sub: 'ada', groups: ['devs'], aud: base, client_id: service.id },
    ...{ resource: `${base}/mcp/desk`, jti: randomUUID(), iat: now, exp: now + 300 },
  }
  return signedBy(key, claims, { typ: 'oauth-id-jag+jwt' })
}

const redeem = (jwt: string) =>
  postForm(`${base}/oauth/token`, {
    ...{ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: jwt },
    ...{ client_id: service.id, client_secret: service.secret },
  })
const status = async (path: string, token: string): Promise<number> =>
  (await message(base + path, token, 'tools/list')).status

test('an identity assertion is good once, of 30 at the same time and after each kind of restart, and each replay is audited', async () => {
  const once = assertion()
  const answers = await Promise.all(Array.from({ length: 30 }, () => redeem(once)))
  const [good, ...more] = answers.filter((one) => one.status === 200)
  assert.ok(good !== undefined && more.length === 0)
  for (const { status: code, body } of answers)
    if (code !== 200) assert.deepEqual([code, body.error], [400, 'invalid_grant'])
  for (const isHard of [false, true]) {
    await restart(isHard)
    assert.equal((await redeem(once)).body.error, 'invalid_grant')
    // What came of it the first time still holds
    assert.equal(await status('/mcp/desk', good.body.access_token), 200)
  }
  const { json } = await api.manage('GET', '/audit?operation=oauth.issue_token&outcome=denied&limit=100')
  const replays = json.items.filter(
    ({ actor, diff }: { actor: { name: string }; diff: readonly { path: string; value?: unknown }[] }) =>
      actor.name === 'assistant' && diff.some(({ value }) => value === 'the assertion was used'),
  )
  assert.equal(replays.length, 31)
})

test('an exchanged token opens no other endpoint, is exchanged no further, and that holds after a restart', async () => {
  const { body: person } = await redeem(assertion())
  const { body: acting } = await exchange(base, agent, { subject_token: person.access_token })
  assert.ok(acting.access_token !== undefined, JSON.stringify(acting))
  for (const isRestarted of [false, true]) {
    if (isRestarted) await restart(true)
    assert.equal(await status('/mcp/desk', acting.access_token), 200)
    for (const path of ['/mcp/other', '/mcp', '/management/mcp'])
      assert.equal(await status(path, acting.access_token), 401, path)
    const again = await exchange(base, agent, { subject_token: acting.access_token })
    assert.equal(again.body.error, 'invalid_grant')
  }
  const { json } = await api.manage('GET', '/audit?operation=oauth.issue_token&outcome=denied')
  assert.equal(json.items[0].actor.name, 'concierge')
  // Gathered for the minute, and written with the stop at the latest
  await restart(false)
  await eventually(async () => {
    const { json: found } = await api.manage('GET', '/audit?operation=access.authenticate')
    return found.items.some(
      ({ resource, surface }: { resource: { slug: string }; surface: string }) =>
        surface === 'virtual_mcp' && resource.slug === 'other',
    )
  })
})
