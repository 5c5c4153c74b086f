import assert from 'node:assert/strict'
import type { Agent } from 'node:https'
import { after, before, test } from 'node:test'
import { type Issued, issue, issueCrl } from '../certificates.ts'
import { Issuer, signedBy, signedWith, signingKey } from '../support/issuer.ts'
import { callSecurely, connectionShowing, startSecureServer } from './secure.ts'
import { publishOrders, type Reply, type TestServer } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

const ORDER = '/orders/v1/orders/7'
const WORKERS = 4
/** Enough for every thread to have some. */
const CONNECTIONS = 24
const KEY = signingKey('one')

const root = issue({ name: 'Root' })

let upstream: TestUpstream
let server: TestServer
let issuer: Issuer

before(async () => {
  upstream = await startUpstream()
  issuer = await new Issuer(KEY).listen()
  issuer.opaque.set('opaque-token', {
    iss: issuer.url,
    aud: 'introspected',
    sub: 'ann',
    exp: Math.floor(Date.now() / 1000) + 600,
  })
  server = await startSecureServer([root], { workers: WORKERS })
  await publishOrders(server, upstream.url)
})
after(async () => {
  await server?.stop()
  await issuer?.[Symbol.asyncDispose]()
  await upstream?.close()
})

interface Row {
  readonly what: string
  readonly auth: () => Promise<object> | object
  /** What a caller shows, by what the profile answered when it was made. */
  readonly shown: (profile: Reply['json']) => {
    readonly token?: string
    readonly headers?: Record<string, string>
    readonly over?: readonly Issued[]
  }
  readonly end: (profile: Reply['json']) => Promise<Reply>
  readonly code: string
}

const manage = (method: string, path: string, body: object = {}): Promise<Reply> =>
  server.manage(method, path, body)
const claims = (more: object): Record<string, unknown> => {
  const now = Math.floor(Date.now() / 1000)
  return { iat: now, exp: now + 300, ...more }
}
const certificate = issue({ name: 'listed', issuer: root, uris: ['urn:listed'] })
const other = issue({ name: 'bound', issuer: root, uris: ['urn:bound'] })

const jwt = { type: 'jwt', issuer: 'https://secret.test' }
const signed = ({ signing_secret }: Reply['json']) => ({
  token: signedWith(signing_secret, claims({ iss: 'https://secret.test' })),
})
const keys = { type: 'jwt', mode: 'keys', issuer: 'https://keys.test', audience: 'orders', keys: [KEY.jwk] }
const withKey = () => ({ token: signedBy(KEY, claims({ iss: 'https://keys.test', aud: 'orders' })) })
const revoke = ({ id }: Reply['json']) => manage('POST', `/profiles/${id}/revoke`)
const toggle = ({ id }: Reply['json']) => manage('POST', `/profiles/${id}/toggle`, { active: false })
const bindings = (name: string) => [{ ca: root.certificate, san_uri: `urn:${name}` }]

const ROWS: readonly Row[] = [
  {
    what: 'a token that is revoked',
    auth: () => ({ type: 'token' }),
    shown: ({ token }) => ({ token }),
    end: revoke,
    code: 'credential_invalid',
  },
  {
    what: 'a secret that is revoked',
    auth: () => jwt,
    shown: signed,
    end: revoke,
    code: 'credential_invalid',
  },
  {
    what: 'a key that is revoked',
    auth: () => keys,
    shown: withKey,
    end: revoke,
    code: 'credential_expired',
  },
  {
    what: 'a key that is taken out of the profile',
    auth: () => keys,
    shown: withKey,
    end: ({ id }) => manage('PATCH', `/profiles/${id}`, { auth: { keys: [signingKey('two').jwk] } }),
    code: 'credential_invalid',
  },
  {
    what: 'a profile of a provider that is switched off',
    auth: () => ({ type: 'oidc', issuer: issuer.url, audience: 'orders' }),
    shown: () => ({ token: signedBy(KEY, claims({ iss: issuer.url, aud: 'orders' })) }),
    end: toggle,
    code: 'profile_inactive',
  },
  {
    what: 'a profile of opaque tokens that is switched off',
    auth: async () => {
      const basic = { type: 'basic', username: 'gate', password: 'the-password-001' }
      await manage('POST', '/credentials', { name: 'Asker', slug: 'asker', auth: basic })
      const introspection = { introspection_credential: 'asker' }
      return { type: 'oidc', issuer: issuer.url, audience: 'introspected', ...introspection }
    },
    shown: () => ({ token: 'opaque-token' }),
    end: toggle,
    code: 'profile_inactive',
  },
  {
    what: 'a certificate that a new list revokes',
    auth: () => ({ type: 'mtls', bindings: bindings('listed') }),
    shown: () => ({ over: [certificate] }),
    end: ({ id }) =>
      manage('PATCH', `/profiles/${id}`, { auth: { revocation: { crl: issueCrl(root, [certificate]) } } }),
    code: 'credential_invalid',
  },
  {
    what: 'a binding that is revoked',
    auth: () => ({ type: 'mtls', bindings: bindings('bound') }),
    shown: () => ({ over: [other] }),
    end: revoke,
    code: 'credential_expired',
  },
  {
    what: 'a profile of type none that is deleted',
    auth: () => ({ type: 'none' }),
    shown: () => ({ headers: { 'x-client-id': 'acme', 'x-profile-id': 'brief' } }),
    end: ({ id }) => manage('DELETE', `/profiles/${id}?confirm=brief`),
    code: 'identity_rejected',
  },
  {
    what: 'a client that is switched off',
    auth: () => ({ type: 'token' }),
    shown: ({ token }) => ({ token }),
    end: () => manage('POST', '/clients/acme/toggle', { active: false }),
    code: 'client_inactive',
  },
]

for (const { what, auth, shown, end, code } of ROWS)
  test(`${what} is refused by every thread as soon as that has answered, on open connections and through either door`, async () => {
    const body = { client: 'acme', name: 'Brief', slug: 'brief', auth: await auth() }
    const made = await manage('POST', '/profiles', body)
    assert.equal(made.status, 201, made.text)
    const { over = [], token, headers = {} } = shown(made.json)
    // Of addresses of their own, so that no failure of one is counted against another
    const connections = Array.from({ length: CONNECTIONS }, (_, n) =>
      connectionShowing(over, { keepAlive: true, localAddress: `127.0.0.${10 + n}` }),
    )
    const ask = (connection: Agent, n: number): Promise<Reply> =>
      n % 2 === 0
        ? callSecurely(server, 'GET', ORDER, { over: connection, headers, ...(token && { token }) })
        : callSecurely(server, 'POST', '/mcp', {
            over: connection,
            headers: { ...headers, accept: 'application/json, text/event-stream' },
            body: { jsonrpc: '2.0', id: 1, method: 'tools/list' },
            ...(token && { token }),
          })
    const askAll = (): Promise<Reply[]> => Promise.all(connections.map(ask))
    for (const { status, text } of await askAll()) assert.equal(status, 200, text)
    const ended = await end(made.json)
    assert.deepEqual([ended.status, ended.json.pending], [200, undefined], ended.text)
    for (const { json, text } of await askAll()) assert.equal(json.code, code, text)
    for (const connection of connections) connection.destroy()
    if (code !== 'identity_rejected') {
      const gone = await manage('DELETE', `/profiles/${made.json.id}?confirm=brief`)
      assert.equal(gone.status, 200, gone.text)
    }
  })
