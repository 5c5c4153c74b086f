/** Connections and registrations as earlier versions stored them. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { refused } from '../../../test/control.ts'
import { beginAt, connect, given } from '../../../test/support/connected.ts'
import { connectedOrigin, POSTERN, startFederation } from '../../../test/support/federation.ts'
import { ScriptedServer } from '../../../test/support/scripted-as.ts'
import { createSealed } from '../server/adapter.ts'
import { readServerMetadata } from './metadata.ts'
import { clientDocument } from './registrations.ts'
import type { FederatedClient } from './token-client.ts'

let server: ScriptedServer
beforeEach(async () => {
  server = await new ScriptedServer().listen()
})
afterEach(() => server[Symbol.asyncDispose]())

const sealed = createSealed(new Uint8Array(32).fill(7))

/** A store with the account of Ada, whose token has ended. */
async function earlier(client: FederatedClient) {
  const all = startFederation({ allow: ['127.0.0.1'] })
  const origin = all.know(connectedOrigin(server.mcp))
  const now = all.clock.now()
  const place = { user: 'ada', origin: origin.id }
  server.refreshTokens.set('refresh-old', { user: 'ada', resource: server.mcp })
  const tokens = {
    ...{ grant: 'g1', generation: 1, access: 'access-old', refresh: 'refresh-old' },
    ...{ obtainedAt: now - 3600_000, server: readServerMetadata(server.metadata(), server.url), client },
    ...{ resource: server.mcp, host: server.url, asked: ['read', 'write'], lacked: [], futile: [] },
  }
  await all.connections.put({
    ...{ ...place, id: 'con_1', kind: 'oauth', state: 'connected', active: true, account_label: '' },
    ...{ issuer: server.url, scope: 'read write', expires_at: now - 1, created_at: 1, updated_at: 1 },
    sealed: sealed.seal(JSON.stringify(tokens), 'Connection', `ada\n${origin.id}`),
  })
  if (client.by === 'dcr') {
    server.clients.set(client.id, { redirect_uris: [`${POSTERN}/connect/callback`] })
    const id = sealed.hash(`${server.url}\n${POSTERN}/connect/callback`)
    await all.artifacts.put({
      ...{ kind: 'FederatedClient', id, grant_id: null, other_id: null, account_id: null },
      ...{ created_at: 1, expires_at: null, used_at: null },
      sealed: sealed.seal(JSON.stringify({ client, scopes: ['read', 'write'] }), 'FederatedClient', id),
    })
  }
  return { all, origin }
}

const CLIENTS: Readonly<Record<string, FederatedClient>> = {
  'a shared registration': { id: 'shared1', secret: null, method: 'none', by: 'dcr' },
  'the shared document': { id: `${POSTERN}/oauth/client.json`, secret: null, method: 'none', by: 'cimd' },
  'a client that was registered by hand': { id: 'manual-1', secret: null, method: 'none', by: 'manual' },
}
for (const [what, client] of Object.entries(CLIENTS))
  test(`an account that was connected as ${what} is refreshed as before, and is connected anew`, async () => {
    const { all, origin } = await earlier(client)
    if (client.by === 'manual') all.manual.client = { id: client.id, secret: null }
    given(await all.federation.answer('ada', origin.id, null))
    assert.equal(server.forms.at(-1)!.form.get('client_id'), client.id)
    await connect(all, origin)
    given(await all.federation.answer('ada', origin.id, null))
  })

test('a shared registration that its server has forgotten is forgotten here', async () => {
  const { all, origin } = await earlier(CLIENTS['a shared registration']!)
  server.clients.clear()
  const answer = await all.federation.answer('ada', origin.id, null)
  assert.equal(answer.ok ? '' : answer.code, 'connect_required')
  assert.equal(all.artifacts.rows.size, 0)
})

test('the shared document is still there, with the redirect URI of its time', () => {
  assert.deepEqual(clientDocument(POSTERN, '/oauth/client.json')?.['redirect_uris'], [
    `${POSTERN}/connect/callback`,
  ])
})

const COMMON = `${POSTERN}/connect/callback`

/** How an earlier version has used a client that was entered by hand. */
const USES: Readonly<Record<string, (all: Awaited<ReturnType<typeof earlier>>['all']) => void>> = {
  'with accounts and without a bound issuer': (all) => all.artifacts.rows.clear(),
  'with accounts and a bound issuer': forgetCommon,
  'with a bound issuer and no account': (all) => {
    forgetCommon(all)
    all.connections.rows.clear()
  },
}

/** Earlier versions kept the issuer alone. */
function forgetCommon({ artifacts }: Awaited<ReturnType<typeof earlier>>['all']): void {
  for (const [key, { kind }] of artifacts.rows) if (kind === 'FederatedCallback') artifacts.rows.delete(key)
}

for (const [what, use] of Object.entries(USES))
  test(`a client that an earlier version has used ${what} keeps its redirect URI at its issuer`, async () => {
    await using other = await new ScriptedServer().listen()
    const { all, origin } = await earlier(CLIENTS['a client that was registered by hand']!)
    all.manual.client = { id: 'manual-1', secret: null }
    await beginAt(all.federation, 'bob', origin, 'bob', '/')
    use(all)
    for (const [index, secret] of [null, null, 'changed'].entries()) {
      all.manual.client = { id: 'manual-1', secret }
      assert.equal((await all.federation.authorization(origin)).redirectUri, COMMON)
      const person = `usr_${index}`
      const to = await beginAt(all.restart(), person, origin, person, '/')
      assert.equal(to.searchParams.get('redirect_uri'), COMMON)
    }
    // Another client, and another issuer, are new registrations
    all.manual.client = { id: 'manual-2', secret: null }
    const second = await beginAt(all.federation, 'eve', origin, 'eve', '/')
    assert.match(second.searchParams.get('redirect_uri')!, /\/connect\/callback\/[\w-]{22}$/)
    server.resourceMetadata = { authorization_servers: [other.url] }
    all.manual.client = { id: 'manual-1', secret: 'of the other' }
    const third = await beginAt(all.restart(), 'eve', origin, 'eve', '/')
    assert.match(third.searchParams.get('redirect_uri')!, /\/connect\/callback\/[\w-]{22}$/)
    assert.notEqual(third.searchParams.get('redirect_uri'), second.searchParams.get('redirect_uri'))
  })

test('a client ID that was entered by hand is bound to the issuer at which accounts are connected', async () => {
  await using other = await new ScriptedServer().listen()
  const { all, origin } = await earlier(CLIENTS['a client that was registered by hand']!)
  all.manual.client = { id: 'manual-1', secret: null }
  server.resourceMetadata = { authorization_servers: [other.url] }
  const refusal = await refused(beginAt(all.federation, 'bob', origin, 'bob', '/'), 'configuration_invalid')
  assert.match(refusal.message, new RegExp(`has changed from ${server.url} to ${other.url}`))
})
