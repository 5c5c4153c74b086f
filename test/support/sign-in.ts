/** People who sign in to MCP endpoints with a client that registers itself, in a scripted browser. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { choose, PASSWORD, postForm, postJson } from './authorization.ts'
import { Browser, type Shown } from './browser.ts'

export const REDIRECT = 'http://127.0.0.1:9/callback'

export interface SignedIn {
  readonly clientId: string
  readonly accessToken: string
  readonly refreshToken: string
  readonly scope: string
}

export interface SignInOptions {
  /** Name that the client registers. */
  readonly client?: string
  /** Id of a client that has registered before. */
  readonly clientId?: string
  /** Where the client is sent back to; {@link REDIRECT} when absent. */
  readonly redirect?: string
  /** Further resources that it asks for. */
  readonly resources?: readonly string[]
  readonly scope?: string
  /** Scopes that the person ticks; absent: those that the page ticks. */
  readonly ticked?: readonly string[]
  /** Fields of the consent form. */
  readonly fields?: Readonly<Record<string, string>>
  /** Keeps its session between sign-ins. */
  readonly browser?: Browser
}

/** Makes a local user with the password of all test users. */
export async function addUser(
  server: {
    manage(
      method: string,
      path: string,
      body?: unknown,
      // biome-ignore lint/suspicious/noExplicitAny: as replies of the test server
    ): Promise<{ status: number; text: string; json: any }>
  },
  origin: string,
  slug: string,
): Promise<void> {
  const made = await server.manage('POST', '/users', { name: slug, slug, email: `${slug}@example.com` })
  assert.equal(made.status, 201, made.text)
  const invited = await server.manage('POST', `/users/${slug}/invite`, {})
  assert.equal(invited.status, 200, invited.text)
  await choose(new Browser(origin), invited.json.set_up_url, {})
}

/** From the challenge of the endpoint to the redirect back to the client, as MCP clients do (RFC 9728, RFC 8414, RFC 7591). */
export async function authorize(endpoint: string, person: string, options: SignInOptions = {}) {
  const origin = new URL(endpoint).origin
  // biome-ignore lint/suspicious/noExplicitAny: metadata of many shapes; what is missing fails the test
  const read = async (url: string): Promise<any> => (await fetch(url)).json()
  const refused = await fetch(endpoint, { method: 'POST', body: '{}' })
  await refused.text()
  const challenge = refused.headers.get('www-authenticate') ?? ''
  const resource = await read(/resource_metadata="([^"]+)"/.exec(challenge)![1]!)
  assert.equal(resource.resource, endpoint)
  const issued = await read(`${resource.authorization_servers[0]}/.well-known/oauth-authorization-server`)
  const clientId =
    options.clientId ??
    (
      await postJson(issued.registration_endpoint, {
        client_name: options.client ?? 'Agent',
        redirect_uris: [options.redirect ?? REDIRECT],
        token_endpoint_auth_method: 'none',
      })
    ).body.client_id
  const verifier = randomBytes(32).toString('base64url')
  const url = new URL(issued.authorization_endpoint)
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: options.redirect ?? REDIRECT,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    state: 's',
    resource: endpoint,
    ...(options.scope === undefined ? {} : { scope: options.scope }),
  }).toString()
  for (const other of options.resources ?? []) url.searchParams.append('resource', other)
  const browser = options.browser ?? new Browser(origin)
  let page: Shown = await browser.open(url)
  if (/name="password"/.test(page.text))
    page = await browser.submit(page, { name: person, password: PASSWORD, do: 'password' })
  return { origin, resource, issued, clientId, verifier, browser, page }
}

/** Signs in at Postern's identity provider the person whom the provider lets in without asking, who allows what the page ticks. */
export async function signInAtProvider(
  endpoint: string,
  { browser = new Browser(new URL(endpoint).origin), ...options }: SignInOptions = {},
): Promise<SignedIn> {
  const begun = await authorize(endpoint, '', { ...options, browser })
  const link = /href="([^"]+\/provider)"/.exec(begun.page.text)
  assert.ok(link !== null, begun.page.text)
  const left = await browser.open(new URL(link[1]!, begun.page.url))
  const { headers } = await fetch(left.url, { redirect: 'manual' })
  const back = new URL(headers.get('location')!)
  const page = await browser.open(new URL(back.pathname + back.search, endpoint))
  return allow(endpoint, { ...begun, browser, page }, options)
}

/** Signs a person in, who allows what the page ticks. */
export async function signIn(
  endpoint: string,
  person: string,
  options: SignInOptions = {},
): Promise<SignedIn> {
  return allow(endpoint, await authorize(endpoint, person, options), options)
}

async function allow(
  endpoint: string,
  { issued, clientId, verifier, browser, page }: Awaited<ReturnType<typeof authorize>>,
  options: SignInOptions,
): Promise<SignedIn> {
  const isPage = page.url.origin === new URL(endpoint).origin
  const shown = isPage
    ? await browser.submit(page, { do: 'allow', ...options.fields }, true, options.ticked)
    : page
  const code = shown.url.searchParams.get('code')
  assert.ok(code !== null, `a code in ${shown.url.href} ${shown.text}`)
  const { status, body } = await postForm(issued.token_endpoint, {
    grant_type: 'authorization_code',
    client_id: clientId,
    redirect_uri: options.redirect ?? REDIRECT,
    code,
    code_verifier: verifier,
    resource: endpoint,
  })
  assert.equal(status, 200, JSON.stringify(body))
  return {
    clientId,
    accessToken: body.access_token,
    refreshToken: body.refresh_token,
    scope: body.scope,
  }
}

/** A message of 2025-11-25 without a session. */
export async function message(endpoint: string, token: string, method: string, params: object = {}) {
  const answer = await fetch(endpoint, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      // So that messages are spread over the threads
      connection: 'close',
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-11-25',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  })
  const text = await answer.text()
  const data = /^data: (\{.*)$/m.exec(text)?.[1] ?? text
  return {
    status: answer.status,
    challenge: answer.headers.get('www-authenticate') ?? '',
    text,
    // biome-ignore lint/suspicious/noExplicitAny: answers of many shapes; a test reads the members it asserts on
    json: (data.startsWith('{') ? JSON.parse(data) : null) as any,
  }
}
