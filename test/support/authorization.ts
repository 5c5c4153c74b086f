import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Account, Accounts, Proof } from '../../src/access/accounts.ts'
import type { Grant, Principal } from '../../src/access/principal.ts'
import { createClock, createClockCell, moveClock } from '../../src/base/clock.ts'
import { refuse } from '../../src/base/refusal.ts'
import type { SignIn } from '../../src/oauth/sign-in/port.ts'
import { createControlPlane } from '../../src/serve/control-plane.ts'
import { PREAMBLE } from '../../src/serve/preamble.ts'
import type { ConfigStore } from '../../src/store/ports/config.ts'
import { openConfigStore } from '../../src/store/sqlite/config.ts'
import { createTombstoneCells } from '../../src/threads/tombstones.ts'
import { openVault } from '../../src/vault/open.ts'
import { UNSERVED } from '../control.ts'
import { Browser, type Shown } from './browser.ts'

export const PASSWORD = 'correct horse battery staple'

/** People as the authorization server sees them: `ann` is an admin, `bob` a viewer. */
class People implements Accounts, SignIn {
  readonly withPassword = true
  provider: string | null = null
  readonly accounts = new Map<string, Account & { grants: readonly Grant[] }>()

  constructor() {
    this.add('usr_ann', 'ann', [{ role: 'admin' }])
    this.add('usr_bob', 'bob', [{ role: 'viewer' }])
  }

  add(id: string, slug: string, grants: readonly Grant[], active = true): void {
    this.accounts.set(id, { id, slug, name: slug, email: null, active, grants })
  }

  async find(id: string) {
    return this.accounts.get(id)
  }

  async findLocal(name: string) {
    return [...this.accounts.values()].find(({ slug }) => slug === name)
  }

  async arrive(): Promise<Account> {
    throw refuse('credential_invalid')
  }

  async principalOf(id: string, proof: Proof): Promise<Principal> {
    const account = this.accounts.get(id)
    if (account?.active !== true) throw refuse('credential_invalid', { inner: 'inactive' })
    const bound = proof.ceiling?.[0]?.role
    const grants =
      proof.ceiling === null
        ? account.grants
        : account.grants.flatMap(({ role }) =>
            role === 'admin' ? proof.ceiling! : bound === undefined ? [] : [{ role }],
          )
    return {
      id,
      type: 'user',
      name: account.slug,
      authMethod: proof.authMethod,
      grants,
      expiresAt: proof.expiresAt,
    }
  }

  async password(name: string, password: string): Promise<Account> {
    const account = await this.findLocal(name)
    if (account === undefined || password !== PASSWORD) throw refuse('credential_invalid')
    return account
  }

  async begin(interaction: string): Promise<URL> {
    return new URL(`http://idp.invalid/authorize?state=${interaction}`)
  }

  async finish(callback: URL) {
    const account = await this.findLocal(callback.searchParams.get('code') ?? '')
    if (account === undefined) throw refuse('credential_invalid')
    return { interaction: callback.searchParams.get('state') ?? '', account }
  }
}

export interface AuthorizationTest extends AsyncDisposable {
  readonly origin: string
  readonly directory: string
  readonly store: ConfigStore
  readonly people: People
  readonly faults: unknown[]
  readonly move: (ms: number) => void
  readonly browser: () => Browser
  /** Ends the process that was, and begins another over what it left. */
  readonly restart: () => Promise<void>
}

/** The control plane with its surfaces on a port of the loopback, without gateway threads. */
export async function startAuthorization(): Promise<AuthorizationTest> {
  const directory = mkdtempSync(join(tmpdir(), 'postern-'))
  const cell = createClockCell()
  const clock = createClock(cell)
  const people = new People()
  const faults: unknown[] = []
  let count = 0
  let open = await begin()
  const server = createServer((request, response) => {
    request.headers[PREAMBLE.peer] = '127.0.0.1'
    request.headers[PREAMBLE.requestId] = `req_${++count}`
    open.listener(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  open = await again()

  async function begin(origin = 'http://127.0.0.1') {
    const store = openConfigStore(join(directory, 'config.db'))
    const vault = await openVault(store, join(directory, 'vault.key'))
    const plane = createControlPlane({
      ...UNSERVED,
      store,
      vault,
      clock,
      records: { list: async () => ({ items: [], next_cursor: null }), get: async () => undefined },
      publisher: { publish: async () => ({ pending: false }) },
      origin,
      tombstones: createTombstoneCells(),
      sessionKey: vault.sessionKey(),
      keysOf: () => ({ ok: false, reason: 'none' }),
      people: { accounts: people, signIn: people },
      fault: (error) => faults.push(error),
    })
    return { ...plane, store }
  }

  async function again() {
    await open.store.close()
    return begin(origin)
  }

  return {
    origin,
    directory,
    get store() {
      return open.store
    },
    people,
    faults,
    move: (ms) => moveClock(cell, ms),
    browser: () => new Browser(origin),
    restart: async () => {
      open = await again()
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

export async function postJson(url: string, value: unknown): Promise<Answer> {
  return answerOf(
    await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(value),
    }),
  )
}

export async function postForm(
  url: string,
  form: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return answerOf(await fetch(url, { method: 'POST', headers, body: new URLSearchParams(form) }))
}

async function answerOf(response: Response): Promise<Answer> {
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

/** Signs in where that is asked, and allows; the last page, or the redirect to the client. */
export async function consent(browser: Browser, url: URL | string, name = 'ann'): Promise<Shown> {
  let page = await browser.open(url)
  if (page.text.includes('name="password"'))
    page = await browser.submit(page, { name, password: PASSWORD, do: 'password' })
  if (page.text.includes('value="allow"')) page = await browser.submit(page, { do: 'allow' })
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
