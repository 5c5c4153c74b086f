import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type AuthorizationTest,
  addUser,
  register,
  startAuthorization,
  tokensFor,
} from '../support/authorization.ts'
import { runCommand } from './cli.ts'
import { call, type Reply } from './server.ts'

let server: AuthorizationTest
/** Of Ada, who has signed in for all that she may do. */
let signedIn = ''
before(async () => {
  server = await startAuthorization()
  await addUser(server, 'ada')
  await made('/collections', {
    name: 'Orders',
    base_path: '/orders',
    upstream: { targets: [{ url: 'http://127.0.0.1:9' }] },
  })
  await made('/teams', { name: 'Shop', members: [{ user: 'ada' }] })
  await made('/grants', { team: 'shop', name: 'Work', role: 'modifier', scope: { collections: ['orders'] } })
  signedIn = await signIn('management:read management:write management:admin')
})
after(() => server[Symbol.asyncDispose]())

async function made(path: string, body: object): Promise<void> {
  const { status, body: answer } = await server.manage('POST', path, body)
  assert.equal(status, 201, JSON.stringify(answer))
}

async function signIn(scope: string): Promise<string> {
  const client = await register(server.origin)
  const more = { scope, resource: `${server.origin}/management/v1` }
  return (await tokensFor(server.origin, server.browser(), client, more, 'ada')).access_token
}

const rest = (token: string, method: string, path: string, body?: object): Promise<Reply> =>
  call(method, `${server.origin}/management/v1${path}`, { token, body })
const mcp = (token: string, body: object): Promise<Reply> =>
  call('POST', `${server.origin}/management/mcp`, { token, body })
const cli = (token: string, ...args: string[]) =>
  runCommand(server.directory, [...args, '-o', 'json'], {
    env: { POSTERN_URL: server.origin, POSTERN_TOKEN: token },
  })

async function personalToken(input: object, by = signedIn): Promise<Reply> {
  return rest(by, 'POST', '/personal_tokens', { name: 'Script', ...input })
}

test('a personal token is its user on every surface, and the trail says how that was proved', async () => {
  const { status, json } = await personalToken({ grants: ['modifier:collections@orders'] })
  assert.equal(status, 201)
  const { token } = json
  const who = await rest(token, 'GET', '/whoami')
  assert.deepEqual(
    [who.json.name, who.json.auth_method, who.json.teams, who.json.grants[0].grant],
    ['ada', 'personal_token', ['shop'], 'modifier:collections@orders'],
  )
  assert.equal((await mcp(token, { tool: 'whoami' })).json.result.name, 'ada')
  assert.equal(JSON.parse((await cli(token, 'whoami')).out).email, 'ada@example.com')
  assert.equal((await rest(token, 'PATCH', '/collections/orders', { description: 'one' })).status, 200)
  const two = { tool: 'update_collection', id: 'orders', description: 'two' }
  assert.equal((await mcp(token, two)).status, 200)
  assert.equal((await cli(token, 'collections', 'update', 'orders', '--description', 'three')).code, 0)
  const route = { collection: 'orders', name: 'Get', methods: ['GET'], path: '/' }
  assert.equal((await rest(token, 'POST', '/proxies', route)).status, 403)
  assert.equal((await rest(token, 'PATCH', '/users/ada', { name: 'A' })).status, 403)
  const { body } = await server.manage('GET', '/audit?actor=ada&operation=collections.update')
  const found = body.items.map((entry: { surface: string; actor: { auth_method: string } }) => [
    entry.surface,
    entry.actor.auth_method,
  ])
  assert.deepEqual(found, [
    ['cli', 'personal_token'],
    ['management_mcp', 'personal_token'],
    ['management_api', 'personal_token'],
  ])
})

test('only who has signed in for all that they may do makes a personal token', async () => {
  const narrow = await signIn('management:read')
  const who = await rest(narrow, 'GET', '/whoami')
  assert.deepEqual([who.json.name, who.json.auth_method], ['ada', 'oauth'])
  assert.equal(who.json.narrowed_from.length, 1)
  assert.equal((await personalToken({}, narrow)).json.scope, 'management:read management:admin')
  const { token } = (await personalToken({})).json
  assert.equal((await personalToken({}, token)).json.code, 'permission_denied')
  assert.equal((await personalToken({ grants: ['admin'] })).json.code, 'permission_denied')
})

test('switching a user off ends what they hold at once, on every surface', async () => {
  const { token } = (await personalToken({})).json
  const answers = async () => [
    (await rest(token, 'GET', '/whoami')).status,
    (await rest(signedIn, 'GET', '/whoami')).status,
    (await mcp(token, { tool: 'whoami' })).status,
    (await cli(token, 'whoami')).code,
  ]
  assert.deepEqual(await answers(), [200, 200, 200, 0])
  await server.manage('POST', '/users/ada/toggle', { active: false })
  assert.deepEqual(await answers(), [401, 401, 401, 1])
  await server.manage('POST', '/users/ada/toggle', { active: true })
  assert.deepEqual(await answers(), [200, 401, 200, 0], 'what was issued by signing in does not come back')
})
