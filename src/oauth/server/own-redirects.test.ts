import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createOwnRedirects } from './own-redirects.ts'

const ORIGINS = ['https://gateway.example.com', 'http://127.0.0.1:8080', 'https://[::1]:8081']

async function redirectsWith(hosts: readonly string[]) {
  const at = { revision: 1, hosts, reads: 0 }
  const redirects = createOwnRedirects(ORIGINS, {
    revision: async () => at.revision,
    all: async () => {
      at.reads++
      return [{ spec: { hosts: at.hosts } }] as never
    },
  })
  await redirects.refresh()
  return { redirects, at }
}

const OWN = [
  'https://gateway.example.com/payments/callback',
  'https://GATEWAY.example.com:443/',
  'https://gateway.example.com./cb',
  'http://localhost:8080/cb',
  'http://127.0.0.1:8080/cb',
  'http://127.1.2.3:8080/cb',
  'http://[::1]:8080/cb',
  'http://[::ffff:127.0.0.1]:8080/cb',
  'http://0.0.0.0:8080/cb',
  'http://app.localhost:8080/cb',
  'https://localhost:8081/cb',
  'https://api.example.com/cb',
  'https://api.example.com:8443/cb',
  'https://API.example.com./cb',
]
for (const uri of OWN)
  test(`${uri} leads to Postern`, async () => {
    const { redirects } = await redirectsWith(['api.example.com', 'localhost'])
    assert.match(redirects.faultOf(uri) ?? '', /leads to this Postern/)
  })

const FOREIGN = [
  'https://gateway.example.com:8443/cb',
  'https://app.example.com/cb',
  'http://localhost:8082/cb',
  'http://127.0.0.1/cb',
  'http://[::1]:33418/cb',
  'cursor://anysphere.cursor-retrieval/oauth/callback',
  'com.example.app:/cb',
  'not a url',
]
for (const uri of FOREIGN)
  test(`${uri} does not lead to Postern`, async () => {
    const { redirects } = await redirectsWith(['api.example.com', 'localhost'])
    assert.equal(redirects.faultOf(uri), null)
  })

for (const uri of ['https://user@app.example.com/cb', 'https://:word@app.example.com/cb', 'cursor://a:b@c/d'])
  test(`${uri} is refused for its user information`, async () => {
    const { redirects } = await redirectsWith([])
    assert.match(redirects.faultOf(uri) ?? '', /user name or a password/)
  })

test('host names of collections are read again only after a change', async () => {
  const { redirects, at } = await redirectsWith([])
  at.hosts = ['app.example.com']
  await redirects.refresh()
  assert.deepEqual([redirects.faultOf('https://app.example.com/cb'), at.reads], [null, 1])
  at.revision = 2
  await redirects.refresh()
  assert.match(redirects.faultOf('https://app.example.com/cb') ?? '', /leads to this Postern/)
})
