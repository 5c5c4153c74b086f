import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type AuthorizationTest,
  authorization,
  consent,
  register,
  startAuthorization,
} from '../../../test/support/authorization.ts'
import { boxesOf } from '../../../test/support/browser.ts'

const WEBSITE = 'https://agent.example/callback'
const KNOWN = 'https://known.example/client.json'
let server: AuthorizationTest
before(async () => {
  const document = {
    client_id: KNOWN,
    client_name: 'Known',
    redirect_uris: [WEBSITE],
    token_endpoint_auth_method: 'none',
  }
  server = await startAuthorization({ pins: new Map([[KNOWN, document]]) })
})
after(() => server[Symbol.asyncDispose]())

const UNSOUND: Readonly<Record<string, string>>[] = [
  { response_type: 'id_token' },
  { code_challenge: '' },
  { prompt: 'none' },
  { request: 'e30.e30.' },
  { scope: 'management:read', resource: 'https://elsewhere.example/' },
]

test('a link to the server leads to no website of a client that registered itself, unless a person has answered', async () => {
  const redirect = { redirect_uri: WEBSITE }
  const client = await register(server.origin, { redirect_uris: [WEBSITE] })
  for (const more of UNSOUND) {
    const page = await server
      .browser()
      .open(authorization(server.origin, client, { ...redirect, ...more }).url)
    assert.equal(page.url.origin, server.origin, JSON.stringify(more))
    assert.match(page.text, /The sign-in cannot continue/, JSON.stringify(more))
  }
  // Also where the only redirect of the client is left out
  const { url } = authorization(server.origin, client, { response_type: 'id_token' })
  url.searchParams.delete('redirect_uri')
  assert.equal((await server.browser().open(url)).url.origin, server.origin)

  const browser = server.browser()
  const page = await browser.open(authorization(server.origin, client, redirect).url)
  const cancelled = await browser.submit(page, { do: 'cancel' })
  assert.equal(cancelled.url.origin, 'https://agent.example', 'a person who cancels is sent back')
  assert.equal(cancelled.url.searchParams.get('error'), 'access_denied')
})

test('a pinned client and a program on the computer of the user are told errors by a redirect', async () => {
  const program = await register(server.origin)
  for (const more of UNSOUND.slice(0, 3)) {
    const told = await server.browser().open(authorization(server.origin, program, more).url)
    assert.equal(told.url.origin, 'http://127.0.0.1:9', JSON.stringify(more))
    const { url } = authorization(server.origin, KNOWN, { redirect_uri: WEBSITE, ...more })
    const pinned = await server.browser().open(url)
    assert.equal(pinned.url.origin, 'https://agent.example', `${JSON.stringify(more)} ${pinned.text}`)
  }
})

test('a scope that was unticked stays unticked on the next page, until the person ticks it', async () => {
  const client = await register(server.origin)
  const browser = server.browser()
  const asked = (): URL =>
    authorization(server.origin, client, { scope: 'management:read management:write openid' }).url
  const ticked = async (): Promise<string[]> =>
    boxesOf((await browser.open(asked())).text)
      .filter(({ isTicked }) => isTicked)
      .map(({ value }) => value)
  await consent(browser, asked(), 'ann', ['management:read'])
  assert.deepEqual(await ticked(), ['management:read'])
  await consent(browser, asked(), 'ann', ['management:read', 'management:write'])
  assert.deepEqual(await ticked(), ['management:read', 'management:write'])
})
