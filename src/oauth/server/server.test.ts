import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { authorization, consent, register, startAuthorization } from '../../../test/support/authorization.ts'

const server = await startAuthorization()
after(() => server[Symbol.asyncDispose]())
const { origin } = server

test('a client that knows nothing registers, has a user sign in and agree, and gets a token for one resource', async () => {
  const client = await register(origin)
  const { url, redeem } = authorization(origin, client)
  const browser = server.browser()
  const first = await browser.open(url)
  assert.equal(first.status, 200, first.text)
  assert.match(first.text, /Test agent/)
  const { url: back } = await consent(browser, url)
  assert.equal(back.searchParams.get('state'), 'the-state')
  assert.equal(back.searchParams.get('iss'), origin)
  const { status, body } = await redeem(back.searchParams.get('code')!)
  assert.equal(status, 200, JSON.stringify(body))
  console.log(body)
  assert.deepEqual(server.faults, [])
})
