import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KeysOf } from '../../src/access/workload.ts'
import { createClock, createClockCell } from '../../src/base/clock.ts'
import { createProtectedResources } from '../../src/base/http/origins.ts'
import type { Plain } from '../../src/base/json/storable.ts'
import type { GetJson } from '../../src/base/net/fetch-json.ts'
import { FetchFailure } from '../../src/base/net/guarded-fetch.ts'
import { createControlPlane } from '../../src/control/control-plane.ts'
import type { IdentityProvider } from '../../src/control/identity-provider.ts'
import { PREAMBLE } from '../../src/fleet/shared/preamble.ts'
import type { DocumentMode } from '../../src/oauth/server/documents.ts'
import { openExportFiles } from '../../src/record/export-files.ts'
import { openControlState } from '../../src/serve/control-state.ts'
import { createSharedCells, createThreadEvents } from '../../src/shared-state/memory/shared-cells.ts'
import type { ConfigStore } from '../../src/store/ports/config.ts'
import { openVault } from '../../src/vault/open.ts'
import { secured, UNSERVED } from '../control.ts'
import { Browser, boxesOf, type Shown } from './browser.ts'
import { EGRESS } from './egress.ts'
import { moveClock } from './moved-clock.ts'
import { openTestStore } from './test-database.ts'

export const PASSWORD = 'correct horse battery staple'

interface As {
  /** The origin by which it is known. */
  readonly issuer?: string
  readonly documentMode?: DocumentMode
}

export interface AuthorizationTest extends AsyncDisposable {
  readonly origin: string
  readonly directory: string
  readonly store: ConfigStore
  readonly faults: unknown[]
  readonly warnings: string[]
  readonly move: (ms: number) => void
  readonly browser: () => Browser
  /** Management REST as an administrator, below /management/v1. */
  readonly manage: (method: string, path: string, body?: unknown) => Promise<Answer>
  readonly sweep: () => Promise<void>
  /** Has what was gathered of unknown callers written into the trail. */
  readonly flush: () => Promise<void>
  /** Ends the process that was, and begins another over what it left, also one that is set up otherwise. */
  readonly restart: (as?: As) => Promise<void>
}

/**
 * The control plane with its surfaces on a port of the loopback, without gateway threads. Of its users, `ann` is an
 * administrator and `bob` may do nothing.
 */
export async function startAuthorization({
  fetchPublic = () => Promise.reject(new FetchFailure('no way out')),
  keysOf = () => ({ ok: false, reason: 'none' }),
  providers = [],
  pins = new Map(),
}: {
  readonly fetchPublic?: GetJson
  readonly keysOf?: KeysOf
  readonly providers?: readonly IdentityProvider[]
  readonly pins?: ReadonlyMap<string, Plain>
} = {}): Promise<AuthorizationTest> {
  const directory = mkdtempSync(join(tmpdir(), 'postern-'))
  const cell = createClockCell()
  const faults: unknown[] = []
  const warnings: string[] = []
  let count = 0
  let listener: RequestListener | undefined
  const server = createServer((request, response) => {
    request.headers[PREAMBLE.peer] = '127.0.0.1'
    request.headers[PREAMBLE.requestId] = `req_${++count}`
    listener?.(request, response)
  })
  server.keepAliveTimeout = 60_000
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  async function begin({ issuer = origin, documentMode = 'auto' }: As = {}) {
    const store = await openTestStore(join(directory, 'config.db'))
    const vault = await openVault(store, join(directory, 'vault.key'))
    const mark = await secured(directory, store, vault)
    const plane = createControlPlane({
      manualClient: () => Promise.resolve(null),
      endingNodes: null,
      ...UNSERVED,
      egress: EGRESS,
      store,
      mark,
      vault,
      clock: createClock(cell),
      publisher: { publish: async () => ({ acknowledged: Promise.resolve({ pending: false }) }) },
      issuer,
      gatewayOrigin: issuer,
      tellOriginsDown() {},
      managementOrigin: origin,
      managementOrigins: [issuer],
      consoleOrigins: [issuer],
      ownOrigins: [issuer, origin],
      consoleFiles: join(directory, 'console'),
      allowsOrigin: () => false,
      resources: createProtectedResources([issuer]),
      exportStore: openExportFiles(join(directory, 'exports'), assert.ifError),
      documentMode,
      fetchPublic,
      pins,
      isLocalSignIn: true,
      providers,
      warn: (sentence) => warnings.push(sentence),
      state: openControlState(
        createSharedCells(),
        createClock(cell),
        createThreadEvents(() => {}),
        null,
      ),
      metricsPage: () => '',
      sessionKey: vault.sessionKey(),
      keysOf,
      fault: (error) => faults.push(error),
    })
    listener = plane.listener
    return { ...plane, store }
  }

  let open = await begin()
  const link = await open.firstLink()
  await choose(new Browser(origin), link!.url, { name: 'ann', email: 'ann@example.com' })
  const { token } = await open.issueToken({ role: 'admin', ttl: '24h', name: 'test admin' })
  const manage = (method: string, path: string, body?: unknown): Promise<Answer> =>
    ask(`${origin}/management/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  await addUser({ origin, manage }, 'bob')
  return {
    origin,
    directory,
    get store() {
      return open.store
    },
    faults,
    warnings,
    manage,
    move: (ms) => moveClock(cell, ms),
    browser: () => new Browser(origin),
    sweep: () => open.sweepStore(),
    flush: () => open.flush(true),
    restart: async (as) => {
      await open.store.close()
      open = await begin(as)
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await open.flush(true)
      await open.store.close()
      rmSync(directory, { recursive: true })
    },
  }
}

/** Makes a user who has chosen {@link PASSWORD}. */
export async function addUser(
  { origin, manage }: Pick<AuthorizationTest, 'origin' | 'manage'>,
  name: string,
): Promise<void> {
  const made = await manage('POST', '/users', { name, email: `${name}@example.com` })
  assert.equal(made.status, 201, JSON.stringify(made.body))
  const { body } = await manage('POST', `/users/${name}/invite`, {})
  await choose(new Browser(origin), body.set_up_url, {})
}

export async function choose(browser: Browser, link: string, person: Record<string, string>): Promise<void> {
  const page = await browser.open(link)
  const done = await browser.submit(page, { ...person, 'new-password': PASSWORD, repeat: PASSWORD })
  assert.ok(done.status < 300, `${done.status} ${done.text}`)
}

export const REDIRECT = 'http://127.0.0.1:9/callback'

/** Registers a public client; its id. */
export async function register(origin: string, metadata: Record<string, unknown> = {}): Promise<string> {
  const { body } = await postJson(`${origin}/oauth/register`, {
    client_name: 'Test agent',
    redirect_uris: [REDIRECT],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
    ...metadata,
  })
  return String(body['client_id'])
}

// biome-ignore lint/suspicious/noExplicitAny: answers of many shapes; a test reads the members it asserts on
type Answer = { readonly status: number; readonly headers: Headers; readonly body: any }

export async function postJson(
  url: string,
  value: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return ask(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(value),
  })
}

export async function postForm(
  url: string,
  form: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return ask(url, { method: 'POST', headers, body: new URLSearchParams(form) })
}

async function ask(url: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(url, init)
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    body: text.startsWith('{') ? JSON.parse(text) : text,
  }
}

/** A request for authorization, and what redeems its code. */
export function authorization(origin: string, client: string, more: Record<string, string> = {}) {
  const verifier = randomBytes(32).toString('base64url')
  const url = new URL('/oauth/authorize', origin)
  const parameters = {
    response_type: 'code',
    client_id: client,
    redirect_uri: REDIRECT,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    state: 'the-state',
    resource: `${origin}/management/mcp`,
    ...more,
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  const redeem = (code: string, other: Record<string, string> = {}): Promise<Answer> =>
    postForm(`${origin}/oauth/token`, {
      grant_type: 'authorization_code',
      client_id: client,
      redirect_uri: parameters.redirect_uri,
      code,
      code_verifier: verifier,
      ...other,
    })
  return { url, redeem }
}

/**
 * Signs in where that is asked, and allows all that the page offers, unless `ticked` says what; the last page, or the
 * redirect to the client.
 */
export async function consent(
  browser: Browser,
  url: URL | string,
  name = 'ann',
  ticked?: readonly string[],
): Promise<Shown> {
  let page = await browser.open(url)
  if (page.text.includes('name="password"'))
    page = await browser.submit(page, { name, password: PASSWORD, do: 'password' })
  if (page.text.includes('value="allow"'))
    page = await browser.submit(
      page,
      { do: 'allow' },
      true,
      ticked ?? boxesOf(page.text).map(({ value }) => value),
    )
  return page
}

/** All of it: tokens for a client that has registered. */
export async function tokensFor(
  origin: string,
  browser: Browser,
  client: string,
  more: Record<string, string> = {},
  name = 'ann',
) {
  const { url, redeem } = authorization(origin, client, more)
  const { url: back } = await consent(browser, url, name)
  const { body } = await redeem(back.searchParams.get('code') ?? '')
  return body as { access_token: string; refresh_token: string; scope: string; expires_in: number }
}
