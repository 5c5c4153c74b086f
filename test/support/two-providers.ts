/** A server at which people sign in at two identity providers: that of the company by settings, that of a partner by the file. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startTestServer, type TestServer } from '../scenarios/server.ts'
import { authorization, postForm, register } from './authorization.ts'
import { Browser, type Shown } from './browser.ts'
import { Issuer, signingKey } from './issuer.ts'
import { authorize, REDIRECT } from './sign-in.ts'

export interface TwoProviders<I extends Issuer = Issuer> extends AsyncDisposable {
  readonly company: I
  readonly partner: I
  readonly server: TestServer
  /** The origin of the server. */
  readonly origin: string
}

/** Writes a file of providers, with the secret of each beside it; its path. */
export function writeProviders(directory: string, providers: readonly object[]): string {
  const path = join(directory, 'providers.json')
  writeFileSync(join(directory, 'partner-secret'), 'partner-secret\n')
  writeFileSync(path, JSON.stringify(providers))
  return path
}

export interface TwoProvidersOptions {
  /** Overrides members of the entry of the partner. */
  readonly entry?: object
  /** Further flags of the server. */
  readonly flags?: readonly string[]
  /** Whether the settings name the company. */
  readonly hasFirst?: boolean
  readonly workers?: number
  /** Data directory of an earlier server. */
  readonly data?: string
}

export function startTwoProviders(options: TwoProvidersOptions = {}): Promise<TwoProviders> {
  // Two keys of one name: only the issuer tells them apart
  return startProviders(new Issuer(signingKey('k1')), new Issuer(signingKey('k1')), options)
}

/** @param company not listening yet, as the partner */
export async function startProviders<I extends Issuer>(
  company: I,
  partner: I,
  { entry = {}, flags = [], hasFirst = true, workers = 1, data }: TwoProvidersOptions = {},
): Promise<TwoProviders<I>> {
  for (const issuer of [company, partner]) await issuer.listen()
  partner.client = 'postern-at-partner:partner-secret'
  const directory = mkdtempSync(join(tmpdir(), 'postern-providers-'))
  const partnerEntry = {
    slug: 'partner',
    name: 'Partner Ltd',
    issuer: partner.url,
    client_id: 'postern-at-partner',
    client_secret_file: 'partner-secret',
    ...entry,
  }
  const first = [
    '--oidc-issuer',
    company.url,
    '--oidc-client-id',
    'postern',
    '--oidc-client-secret',
    'secret',
  ]
  const close = async (): Promise<void> => {
    for (const issuer of [company, partner]) if (issuer.isListening) await issuer[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true })
  }
  const server = await startTestServer({
    workers,
    ...(data === undefined ? {} : { data }),
    flags: [
      ...(hasFirst ? first : []),
      ...['--oidc-providers-file', writeProviders(directory, [partnerEntry])],
      ...flags,
    ],
  }).catch(async (error: unknown) => {
    await close()
    throw error
  })
  return {
    company,
    partner,
    server,
    origin: server.running.gatewayUrl.replace('127.0.0.1', 'localhost'),
    async [Symbol.asyncDispose]() {
      await server.stop()
      await close()
    },
  }
}

/** Links of the sign-in page to providers: their label by their path behind `/provider`. */
export function providerLinks({ text }: Shown): Record<string, string> {
  const links = text.matchAll(/<a href="[^"]+\/provider(\/[^"]*)?">Continue with ([^<]+)<\/a>/g)
  return Object.fromEntries([...links].map(([, path = '', label]) => [path, label!]))
}

/** From the sign-in page to a provider; where that sends the browser. @param slug empty for the first provider */
export async function leaveTo(browser: Browser, page: Shown, slug: string): Promise<Shown> {
  const at = slug === '' ? '' : `/${slug}`
  const [link] = new RegExp(`[^"]+/provider${at}(?=")`).exec(page.text) ?? []
  assert.ok(link !== undefined, page.text)
  return browser.open(new URL(link, page.url))
}

/** The URL with which a provider sends the browser back. */
export async function answerOf(left: Shown): Promise<URL> {
  const { headers } = await fetch(left.url, { redirect: 'manual' })
  return new URL(headers.get('location')!)
}

/** To a provider and back. */
export async function throughProvider(browser: Browser, page: Shown, slug: string): Promise<Shown> {
  const left = await leaveTo(browser, page, slug)
  if (left.text !== '') return left
  const back = await answerOf(left)
  return browser.open(new URL(back.pathname + back.search, page.url))
}

/** The sign-in page of a request for a token of management REST, and what redeems its code. */
export async function askForManagement(origin: string, browser = new Browser(origin)) {
  const { url, redeem } = authorization(origin, await register(origin), {
    resource: `${origin}/management/v1`,
  })
  return { browser, redeem, page: await browser.open(url) }
}

/** An access token of management REST for the person whom the provider signs in. */
export async function managementToken(origin: string, slug: string): Promise<string> {
  const { browser, redeem, page } = await askForManagement(origin)
  const asked = await throughProvider(browser, page, slug)
  const { url } = await browser.submit(asked, { do: 'allow' })
  const { status, body } = await redeem(url.searchParams.get('code') ?? '')
  assert.equal(status, 200, asked.text)
  return body.access_token
}

/** Signs a person in to an MCP endpoint at a provider, and allows the application; its tokens. */
export async function mcpTokens(endpoint: string, slug: string) {
  const { page, browser, issued, clientId, verifier } = await authorize(endpoint, '')
  const asked = await throughProvider(browser, page, slug)
  const { url } = await browser.submit(asked, { do: 'allow' })
  const { status, body } = await postForm(issued.token_endpoint, {
    grant_type: 'authorization_code',
    client_id: clientId,
    redirect_uri: REDIRECT,
    code: url.searchParams.get('code') ?? '',
    code_verifier: verifier,
    resource: endpoint,
  })
  assert.equal(status, 200, `${JSON.stringify(body)} ${asked.text}`)
  return body as { access_token: string; refresh_token: string }
}
