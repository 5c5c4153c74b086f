import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startTestServer, type TestServer } from './server.ts'

const PASSWORD = 'correct horse battery staple'
const OWN = { 'sec-fetch-site': 'same-origin', 'x-postern-console': '1' }

let server: TestServer
before(async () => {
  server = await startTestServer()
})
after(() => server.stop())

test('the root of the control listener leads to the console, that of the gateway listener answers for the APIs', async () => {
  for (const method of ['GET', 'HEAD']) {
    const root = await fetch(new URL('/', server.running.controlUrl), { method, redirect: 'manual' })
    assert.deepEqual([root.status, root.headers.get('location')], [303, '/console/'])
    assert.match(root.headers.get('x-request-id')!, /^req_/)
  }
  const root = await fetch(new URL('/', server.running.origin), { redirect: 'manual' })
  assert.equal(root.status, 404)
})

/** One jar of cookies for each host and port: nothing of a sign-in at one listener needs the cookies of the other. */
function browser() {
  const jars = new Map<string, Map<string, string>>()
  const go = async (url: URL, body?: URLSearchParams, headers: Record<string, string> = {}) => {
    const jar = jars.get(url.host) ?? new Map<string, string>()
    jars.set(url.host, jar)
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie, ...headers },
      ...(body === undefined ? {} : { method: 'POST', body }),
    })
    for (const line of response.headers.getSetCookie()) {
      const [name = '', value = ''] = line.split(';')[0]!.split(/=(.*)/s)
      jar.set(name, value)
    }
    return response
  }
  return { jars, go }
}

test('a person signs in at the console of the control listener, writes there, and comes back to it', async () => {
  const { running } = server
  const link = new URL((await running.firstLink())!.url)
  const chosen = { 'new-password': PASSWORD, repeat: PASSWORD }
  const made = { token: link.searchParams.get('token')!, name: 'Ada', email: 'ada@example.com', ...chosen }
  const form = { method: 'POST', redirect: 'manual' as const }
  const set = await fetch(new URL('/oauth/setup', running.origin), {
    ...form,
    body: new URLSearchParams(made),
    headers: { 'sec-fetch-site': 'same-origin' },
  })
  assert.equal(set.status, 200)

  const { jars, go } = browser()
  let url = new URL('/console/login?return_to=/console/people', running.controlUrl)
  let response = await go(url)
  for (let count = 0; count < 12 && url.pathname !== '/console/callback'; count++) {
    const location = response.headers.get('location')
    if (location !== null) {
      url = new URL(location, url)
      response = await go(url)
      continue
    }
    const text = await response.text()
    const csrf = /name="csrf" value="([^"]+)"/.exec(text)?.[1] ?? ''
    const fields = { csrf, do: 'password', name: 'ada@example.com', password: PASSWORD }
    response = await go(url, new URLSearchParams(fields))
  }
  assert.deepEqual([response.status, url.origin], [303, new URL(running.controlUrl).origin])
  assert.equal(response.headers.get('location'), '/console/people')

  const cookie = `postern_console=${jars.get(url.host)!.get('postern_console')}`
  const write = (slug: string, headers: Record<string, string>) =>
    fetch(new URL('/management/v1/teams', running.controlUrl), {
      method: 'POST',
      headers: { cookie, 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ name: slug, slug }),
    })
  const written = await write('desk', OWN)
  assert.equal(written.status, 201, await written.text())
  assert.equal((await write('other', { ...OWN, 'sec-fetch-site': 'cross-site' })).status, 401)
  const { items } = (await server.manage('GET', '/audit?operation=teams.create')).json as {
    items: { surface: string }[]
  }
  assert.deepEqual(
    items.map(({ surface }) => surface),
    ['admin_ui'],
  )
})

test('a person whom an invitation led to a password is signed in at the console by it', async () => {
  const { running } = server
  const made = await server.manage('POST', '/users', { name: 'Grace', email: 'grace@example.com' })
  assert.equal(made.status, 201, made.text)
  const invited = await server.manage('POST', '/users/grace/invite', {})
  const token = new URL(invited.json.set_up_url).searchParams.get('token')!
  const { jars, go } = browser()
  const chosen = new URLSearchParams({ token, 'new-password': PASSWORD, repeat: PASSWORD })
  const set = await go(new URL('/oauth/setup', running.origin), chosen, { 'sec-fetch-site': 'same-origin' })
  const text = await set.text()
  assert.equal(set.status, 200, text)
  const follow = async (): Promise<Response> => {
    let url = new URL(/href="([^"]*\/console\/login[^"]*)"/.exec(text)![1]!.replaceAll('&#38;', '&'))
    let response = await go(url)
    for (let count = 0; count < 12 && url.pathname !== '/console/callback'; count++) {
      const location = response.headers.get('location')
      if (location === null) break
      url = new URL(location, url)
      response = await go(url)
    }
    return response
  }
  const arrived = await follow()
  assert.equal(arrived.status, 303, 'no page asked for anything')
  const jar = jars.get(new URL(running.controlUrl).host)!
  const me = await fetch(new URL('/management/v1/whoami', running.controlUrl), {
    headers: {
      cookie: `postern_console=${jar.get('postern_console')}`,
      'sec-fetch-site': 'same-origin',
      'x-postern-console': '1',
    },
  })
  assert.equal(((await me.json()) as { name: string }).name, 'grace')
})
