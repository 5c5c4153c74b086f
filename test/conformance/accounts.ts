/**
 * Postern as an OAuth client of origins, for the scenarios of authorization: the URL of a scenario becomes an origin, at which a person
 * connects an account in a scripted browser. A client of the official SDK, in which the person has signed in, then uses all that a virtual
 * MCP in front of the origin offers. The person opens the pages that its calls are answered with. One Postern is there for all scenarios:
 * the program that the suite runs for each only passes on what it is told.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { startTestServer, type TestServer } from '../scenarios/server.ts'
import { choose } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'
import { leaveFrom, signedInBrowser } from '../support/connect.ts'
import { eventually } from '../support/eventually.ts'
import { message, signIn, signInAtProvider } from '../support/sign-in.ts'
import { drive } from './client-driver.ts'
import { type SuiteIdentity, SuiteProvider } from './suite-provider.ts'

/** How often the person connects the account while the origin cannot be read. */
const ROUNDS_MAX = 5
/** The client that the suite knows by its document. */
const DOCUMENT = 'https://conformance-test.local/client-metadata.json'

/** What the program says of a scenario. */
export interface Told {
  readonly url: string
  readonly scenario: string
  readonly revision: string
  readonly context: SuiteIdentity & {
    readonly client_id?: string
    readonly client_secret?: string
    readonly private_key_pem?: string
  }
}

export interface Accounts extends AsyncDisposable {
  /** Where the program sends what it is told: the answer has status 200 when the scenario was played to its end. */
  readonly url: string
}

/** Starts a Postern at which scenarios can be played. */
export async function startAccounts(): Promise<Accounts> {
  // The authorization servers of the suite have ports of their own on this machine
  const provider = await new SuiteProvider().listen()
  const flags = { 'egress-allow': 'localhost', 'oidc-issuer': provider.url, 'oidc-client-id': 'postern' }
  const postern = await startTestServer({
    flags: Object.entries({ ...flags, 'oidc-client-secret': 'secret' }).flatMap(([name, value]) => [
      `--${name}`,
      value,
    ]),
  })
  const person = { name: 'ann', email: 'ann@example.com' }
  await choose(new Browser(postern.running.origin), (await postern.running.firstLink())!.url, person)
  let count = 0
  const door = createServer((request, response) => {
    play({ postern, provider }, `scenario-${++count}`, request).then(
      () => response.end(),
      (error: unknown) => response.writeHead(500).end(error instanceof Error ? error.stack : String(error)),
    )
  })
  door.listen(0, '127.0.0.1')
  await once(door, 'listening')
  return {
    url: `http://127.0.0.1:${(door.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      door.close()
      await postern.stop()
      await provider[Symbol.asyncDispose]()
    },
  }
}

/** What all scenarios share. */
interface Stage {
  readonly postern: TestServer
  readonly provider: SuiteProvider
}

async function play(
  { postern: server, provider }: Stage,
  slug: string,
  request: IncomingMessage,
): Promise<void> {
  const told = JSON.parse((await request.toArray()).join('')) as Told
  await make(server, '/origins', { name: slug, slug, url: told.url, ...(await settings(server, slug, told)) })
  const shared = { members: [{ origin: slug }], status: 'published', all_users: true }
  await make(server, '/virtual_mcps', { name: slug, slug, ...shared })
  const { origin } = server.running
  const endpoint = `${origin}/mcp/${slug}`
  if (isManagedByProvider(told)) return playManaged(provider, endpoint, told)
  const { accessToken } = await signIn(endpoint, 'ann')
  const browser = await signedInBrowser(origin, 'ann')
  if (isOwn(told)) await server.manage('POST', `/origins/${slug}/refresh_catalog`, {})
  else await connectFirst(server, browser, slug)
  await drive(endpoint, {
    revision: told.revision,
    headers: { authorization: `Bearer ${accessToken}` },
    open: async (page) => void (await connect(browser, page)),
  })
}

/** The person signs in at the identity provider, and connects nothing. */
async function playManaged(provider: SuiteProvider, endpoint: string, told: Told): Promise<void> {
  provider.suite = told.context
  const { passedOn } = provider
  const { accessToken } = await signInAtProvider(endpoint)
  // The first person tells what the origin offers
  await eventually(
    async () => (await message(endpoint, accessToken, 'tools/list')).json.result.tools.length > 0,
  )
  await drive(endpoint, { revision: told.revision, headers: { authorization: `Bearer ${accessToken}` } })
  if (provider.passedOn === passedOn) throw new Error('the ID token of the sign-in was not exchanged')
}

async function make(server: TestServer, path: string, body: object): Promise<void> {
  const reply = await server.manage('POST', path, body)
  if (reply.status !== 201) throw new Error(`${path}: ${reply.text}`)
}

/** Postern calls as itself, instead of with an account. */
function isOwn({ scenario }: Told): boolean {
  return scenario.startsWith('auth/client-credentials-')
}

/** The identity provider decides, and its sign-in is enough. */
function isManagedByProvider({ scenario }: Told): boolean {
  return scenario === 'auth/enterprise-managed-authorization'
}

/** How the administrator sets the origin up. */
async function settings(server: TestServer, slug: string, told: Told): Promise<object> {
  const oauth = { auth_mode: isManagedByProvider(told) ? 'id_jag' : 'user_oauth' }
  const { client_id: id, client_secret: value } = told.context
  if (isOwn(told)) {
    await make(server, '/credentials', { name: slug, slug, auth: await ownCredential(told) })
    return { credential: slug }
  }
  if (told.scenario === 'auth/basic-cimd')
    return { ...oauth, oauth: { registration: 'manual', client_id: DOCUMENT } }
  if (id === undefined || value === undefined) return oauth
  const auth = { type: 'basic', username: id, password: { value } }
  await make(server, '/credentials', { name: slug, slug, auth })
  return { ...oauth, oauth: { client_credential: slug } }
}

/** An administrator has read where tokens are issued. */
async function ownCredential({ url, context }: Told): Promise<object> {
  // biome-ignore lint/suspicious/noExplicitAny: metadata of the suite; what is missing fails the scenario
  const read = async (from: string): Promise<any> => (await fetch(from)).json()
  const { origin, pathname } = new URL(url)
  const resource = await read(`${origin}/.well-known/oauth-protected-resource${pathname}`)
  const issued = await read(`${resource.authorization_servers[0]}/.well-known/oauth-authorization-server`)
  const proof =
    context.private_key_pem === undefined
      ? { client_secret: { value: context.client_secret } }
      : {
          auth_method: 'private_key_jwt',
          private_key: { value: context.private_key_pem },
          assertion_audience: issued.issuer,
        }
  const asked = { token_url: issued.token_endpoint, client_id: context.client_id }
  return { type: 'oauth2_client_credentials', ...asked, ...proof }
}

/** From a page that connects the account to the authorization server, and back. False where either refuses; the account may have ended again. */
async function connect(browser: Browser, page: string): Promise<boolean> {
  const leaving = await leaveFrom(browser, await browser.open(page))
  const link = /<a href="(https?:[^"]+)">Continue to /.exec(leaving.text)?.[1]
  if (link === undefined) return false
  const to = new URL(link.replaceAll('&#38;', '&'))
  // The servers of the suite answer with the redirect at once
  const back = await new Browser(to.origin).open(to)
  const end = await browser.open(back.url)
  return end.status === 200 && !/role="alert"/.test(end.text)
}

/** Connects the account until the origin can be read, or connecting does not help. */
async function connectFirst(server: TestServer, browser: Browser, slug: string): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    if (!(await connect(browser, `/connect/${slug}`))) return
    await server.manage('POST', `/origins/${slug}/refresh_catalog`, {})
    const { json } = await server.manage('GET', `/connections?all_users=true&origin=${slug}`)
    if (json.items[0]?.state === 'connected') return
  }
}
