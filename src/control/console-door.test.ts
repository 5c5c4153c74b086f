import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { addUser, PASSWORD, startAuthorization } from '../../test/support/authorization.ts'
import { returnTo } from './console-door.ts'

const server = await startAuthorization()
after(() => server[Symbol.asyncDispose]())
const { origin } = server
const OWN = { 'sec-fetch-site': 'same-origin', 'x-postern-console': '1' }

/** Signs in at the console as a browser does, up to the callback; returns cookies by name. */
async function begin(target = '/console/login?return_to=/console/records') {
  const jar = new Map<string, string>()
  const go = async (url: string | URL, form?: Record<string, string>) => {
    const response = await fetch(new URL(url, origin), {
      redirect: 'manual',
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) }),
    })
    for (const line of response.headers.getSetCookie()) {
      const [name, value] = line.split(';')[0]!.split(/=(.*)/s)
      if (value === '') jar.delete(name!)
      else jar.set(name!, value!)
    }
    return response
  }
  return { jar, go, response: await go(target) }
}

async function toCallback() {
  const browser = await begin()
  let { response } = browser
  for (let count = 0; count < 10; count++) {
    const to = response.headers.get('location')
    if (to === null) {
      const text = await response.text()
      const csrf = /name="csrf" value="([^"]+)"/.exec(text)?.[1] ?? ''
      const action = /action="([^"]+)"/.exec(text)?.[1] ?? ''
      response = await browser.go(action, { csrf, do: 'password', name: 'ada', password: PASSWORD })
      continue
    }
    if (to.includes('/console/callback')) return { ...browser, to }
    response = await browser.go(to)
  }
  throw new Error('no callback')
}

await addUser(server, 'ada')

test('the console signs a person in with a cookie that management takes with both fields, and signs out', async () => {
  const { go, jar, to } = await toCallback()
  const done = await go(to)
  assert.deepEqual([done.status, done.headers.get('location')], [303, '/console/records'])
  assert.match(done.headers.getSetCookie()[0]!, /^postern_console=pst_ws_\w+; .*HttpOnly; SameSite=Strict/)
  const cookie = `postern_console=${jar.get('postern_console')}`
  const ask = (headers: Record<string, string>, path = '/management/v1/whoami') =>
    fetch(origin + path, { headers: { cookie, ...headers } })
  assert.equal((await ask(OWN)).status, 200)
  const lacking: Record<string, string>[] = [
    {},
    { 'sec-fetch-site': 'same-origin' },
    { ...OWN, 'sec-fetch-site': 'same-site' },
  ]
  for (const headers of lacking) {
    const refused = await ask(headers)
    assert.equal(refused.status, 401)
    assert.match(
      ((await refused.json()) as { detail: string }).detail,
      /The cookie of the console counts only/,
    )
  }
  assert.equal((await ask({ ...OWN, authorization: 'Bearer wrong' })).status, 401)
  assert.equal((await ask({ ...OWN, cookie: `${cookie}; ${cookie}` })).status, 401)
  assert.equal((await ask(OWN, '/management/mcp')).status, 401)
  const bearer = { authorization: `Bearer ${jar.get('postern_console')}` }
  assert.equal((await fetch(`${origin}/management/v1/whoami`, { headers: bearer })).status, 401)
  const leave = (headers: Record<string, string>) =>
    fetch(`${origin}/console/logout`, { method: 'POST', headers: { cookie, ...headers } })
  assert.equal((await leave({})).status, 401)
  assert.equal((await leave(OWN)).status, 204)
  assert.equal((await ask(OWN)).status, 401)
  const again = await go(new URL((await go('/console/login')).headers.get('location')!))
  assert.match(again.headers.get('location')!, /\/oauth\/interaction\//)
})

test('a callback counts once, and only in the browser that began the sign-in', async () => {
  const { go, jar, to } = await toCallback()
  const other = await begin()
  const foreign = await other.go(to)
  assert.deepEqual([foreign.status, other.jar.has('postern_console')], [400, false])
  const kept = jar.get('postern_console_login')!
  assert.equal((await go(to)).status, 303)
  jar.delete('postern_console')
  jar.set('postern_console_login', kept)
  assert.equal((await go(to)).status, 400)
  assert.equal(jar.has('postern_console'), false)
})

test('a sign-in returns to paths of the console alone', () => {
  for (const path of [
    '//evil.example',
    '/console/../x',
    '/console/\\evil',
    '/console/%2e%2e/x',
    'https://evil',
    '/consolex',
  ])
    assert.equal(returnTo(path), '/console/')
  assert.equal(returnTo('/console/records?a=b#c'), '/console/records?a=b#c')
})
