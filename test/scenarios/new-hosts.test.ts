/** New applications that wait until an administrator switches them on. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type LegacyOrigin, startLegacyOrigin } from '../mcp/legacy.ts'
import { addUser, authorize, message, signIn } from '../support/sign-in.ts'
import { startTestServer, type TestServer } from './server.ts'

let server: TestServer
let origin: LegacyOrigin
let desk: string

before(async () => {
  origin = await startLegacyOrigin()
  server = await startTestServer({ workers: 2 })
  const base = server.running.gatewayUrl.replace('127.0.0.1', 'localhost')
  desk = `${base}/mcp/desk`
  await addUser(server, server.running.origin, 'ann')
  for (const [path, body] of [
    ['/origins', { name: 'Old', slug: 'old', url: origin.url }],
    [
      '/virtual_mcps',
      { name: 'Desk', slug: 'desk', status: 'published', members: [{ origin: 'old' }], all_users: true },
    ],
  ] as const) {
    const made = await server.manage('POST', path, body)
    assert.equal(made.status, 201, made.text)
  }
})
after(async () => {
  await server?.stop()
  await origin?.[Symbol.asyncDispose]()
})

const setNewHosts = async (new_hosts: string): Promise<void> => {
  const { status, json, text } = await server.manage('PATCH', '/settings/current', { new_hosts })
  assert.equal(status, 200, text)
  assert.equal(json.new_hosts, new_hosts)
}
const hostOf = async (name: string) => {
  const { json } = await server.manage('GET', '/hosts')
  return json.items.find((one: { name: string }) => one.name === name)
}

test('without the setting an application can be used from its first consent on', async () => {
  const { json } = await server.manage('GET', '/settings/current')
  assert.equal(json.new_hosts, 'allow')
  const { accessToken } = await signIn(desk, 'ann', { client: 'Early' })
  assert.equal((await message(desk, accessToken, 'tools/list')).status, 200)
})

test('a held application waits after its first consent, and the person comes back once it is switched on', async () => {
  await setNewHosts('hold')
  const first = await authorize(desk, 'ann', { client: 'Notes' })
  assert.match(first.page.text, /is new here\. If you allow it, an administrator must activate it/)
  assert.equal(await hostOf('Notes'), undefined)
  const { browser, clientId } = first
  const waiting = await browser.submit(first.page, { do: 'allow' })
  assert.equal(waiting.status, 403)
  assert.match(waiting.text, /An administrator must activate it before you can use it/)
  const host = await hostOf('Notes')
  assert.equal(host.active, false)
  // Asking again does not pass either, on this page or from the beginning
  assert.equal((await browser.open(waiting.url)).status, 403)
  const again = await authorize(desk, 'ann', { client: 'Notes', clientId, browser })
  assert.equal(again.page.status, 403)
  const left = await browser.submit(again.page, { do: 'leave' })
  assert.equal(left.url.searchParams.get('error'), 'access_denied')
  assert.match(left.url.searchParams.get('error_description') ?? '', /must activate it first/)
  // A form that was shown before is judged when it is sent
  const other = await authorize(desk, 'ann', { client: 'Notes', browser })
  assert.equal(other.page.status, 403)
  await server.manage('POST', `/hosts/${host.slug}/toggle`, { active: true })
  const { accessToken } = await signIn(desk, 'ann', { clientId, browser })
  assert.equal((await message(desk, accessToken, 'tools/list')).status, 200)
})

test('the setting, the held host and the refused consent are in the audit trail', async () => {
  const audit = async (operation: string) =>
    (await server.manage('GET', `/audit?operation=${operation}`)).json.items
  const [setting] = await audit('settings.update')
  assert.ok(setting.diff.some((one: { path: string; value: unknown }) => one.path === '/new_hosts'))
  const host = await hostOf('Notes')
  const made = (await audit('hosts.arrive')).find(
    (one: { resource: { id: string } }) => one.resource.id === host.id,
  )
  assert.match(JSON.stringify(made.diff), /"active":false/)
  const refused = (await audit('oauth.consent')).find((one: { outcome: string }) => one.outcome === 'denied')
  assert.equal(refused.actor.name, 'ann')
  assert.ok(refused.diff.some(({ value }: { value: unknown }) => value === host.id))
})

test('an application that an administrator has switched off is not told that it waits', async () => {
  await server.manage('POST', '/hosts/notes/toggle', { active: false })
  const { page, browser } = await authorize(desk, 'ann', { client: 'Notes' })
  const refused = await browser.submit(page, { do: 'allow' })
  assert.match(refused.url.searchParams.get('error_description') ?? '', /This application is inactive/)
})

test('a client that copies the name and the redirect host of an approved application is held', async () => {
  const redirect = 'https://apps.example/notes/callback'
  await setNewHosts('allow')
  await signIn(desk, 'ann', { client: 'Web notes', redirect })
  await setNewHosts('hold')
  const copied = await authorize(desk, 'ann', {
    ...{ client: 'Web notes', redirect: 'https://apps.example/evil/callback' },
  })
  const waiting = await copied.browser.submit(copied.page, { do: 'allow' })
  assert.equal(waiting.status, 403)
  assert.match(waiting.text, /An administrator must activate it/)
  const { accessToken } = await signIn(desk, 'ann', { client: 'Web notes', redirect })
  assert.equal((await message(desk, accessToken, 'tools/list')).status, 200)
})

test('known applications are used as before while new ones are held', async () => {
  const { accessToken } = await signIn(desk, 'ann', { client: 'Early' })
  assert.equal((await message(desk, accessToken, 'tools/list')).status, 200)
  await setNewHosts('allow')
  const { accessToken: late } = await signIn(desk, 'ann', { client: 'Late' })
  assert.equal((await message(desk, late, 'tools/list')).status, 200)
})
