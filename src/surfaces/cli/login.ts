import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Command } from 'commander'
import type * as OpenIdClient from 'openid-client'
import type { TokenEndpointResponse } from 'openid-client'
import { html, pageHeaders, pageText } from '../../base/http/page.ts'
import { printable } from '../../base/text/visible.ts'
import { CLIENT_ID, discoverIssuer, discoverResource, reasonOf } from './authorization-server.ts'
import { addFormat, type Format } from './common-flags.ts'
import { dataDirOf, toOrigin } from './connect.ts'
import { CONTEXT_NAME, type Contexts, changeContexts, readContexts } from './context-file.ts'
import { EXIT, Failed, UsageError } from './exit.ts'
import { askLocal } from './local.ts'
import type { CliPorts } from './ports.ts'
import { printData } from './print.ts'
import { toSignedIn, withCredential } from './sign-in.ts'

interface Given {
  readonly context?: string
  readonly device?: boolean
  readonly browser: boolean
  readonly clientId: string
  readonly scope?: string
  readonly data?: string
  readonly output: Format
}

/** `postern login`: a person signs in, and a context keeps the tokens. */
export function loginCommand(ports: CliPorts): Command {
  const command = new Command('login')
    .description('Sign in to an instance with a browser or another device, and store the tokens in a context')
    .argument(
      '[url]',
      'URL of the instance. Default: the URL of the context, POSTERN_URL, or the instance on the data directory',
    )
    .option('--device', 'Show a code to enter on another device, for a machine without a browser')
    .option('--no-browser', 'Print the sign-in URL instead of opening a browser')
    .option(
      '--context <name>',
      'Context that stores the tokens. Default: a context for that URL (POSTERN_CONTEXT)',
    )
    .option('--client-id <id>', 'OAuth client ID of the CLI at the authorization server', CLIENT_ID)
    .option(
      '--scope <scope>',
      'Scope to request. Default: all scopes. On the sign-in page you select those that you allow',
    )
    .option('--data <dir>', 'Data directory of the running instance (POSTERN_DATA)')
  return addFormat(command).action(async (address: string | undefined, given: Given) => {
    const contexts = readContexts(ports)
    const asked = given.context ?? (ports.env['POSTERN_CONTEXT'] || undefined)
    const url = await urlOf(ports, contexts, address, asked, given)
    const name = asked ?? nameFor(contexts, url)
    if (!CONTEXT_NAME.test(name))
      throw new UsageError(`"${name}" is not a valid context name. Use letters, digits, dots, - and _.`)
    const { resource, issuer, scopes, mcp } = await discoverResource(ports, url)
    const { oauth, server } = await discoverIssuer(ports, issuer, given.clientId)
    const scope = given.scope ?? withAdministration(scopes).join(' ')
    const wanted = new URLSearchParams({ resource, ...(scope !== '' && { scope }) })
    if (mcp !== null) wanted.append('resource', mcp)
    let answer: TokenEndpointResponse
    try {
      const byBrowser =
        given.device === true ? null : await signInByBrowser(ports, oauth, server, wanted, given.browser)
      if (byBrowser === null && given.device !== true)
        ports.err('No browser can be opened here. Use another device to sign in.\n')
      answer = byBrowser ?? (await signInByDevice(ports, oauth, server, wanted))
    } catch (error) {
      throw new Error(`Not signed in: ${reasonOf(error)}`, { cause: error })
    }
    const credential = toSignedIn(answer, {
      issuer,
      client_id: given.clientId,
      resource,
      scope,
      mcp: mcp === null ? null : { resource: mcp, access_token: null, expires_at: 0 },
    })
    await changeContexts(ports, (now) => {
      const next = withCredential(now, name, credential)
      return [{ ...next, current: name, contexts: { ...next.contexts, [name]: { url, credential } } }, null]
    })
    const result = { context: name, url, issuer, scope: credential.scope }
    if (printData(ports, given.output, result)) return
    ports.out(
      `Signed in at ${printable(url)}. Commands now go to ${name}; postern whoami says who you are.\n`,
    )
    if (hasWord(scope, ADMINISTRATION) && !hasWord(credential.scope, ADMINISTRATION))
      ports.out(
        `You cannot administer access and keys with this sign-in. To administer them, sign in again and select ${ADMINISTRATION} on the page.\n`,
      )
  })
}

/** The scope that metadata does not name, since a person should not start with it. */
const ADMINISTRATION = 'management:admin'

/** The scopes that an instance names and, where they are those of Postern, administration: the person decides on the page. */
function withAdministration(scopes: readonly string[]): readonly string[] {
  return scopes.includes('management:read') ? [...new Set([...scopes, ADMINISTRATION])] : scopes
}

function hasWord(text: string, word: string): boolean {
  return text.split(' ').includes(word)
}

/** `postern logout`: the tokens of a context are revoked and forgotten. */
export function logoutCommand(ports: CliPorts): Command {
  const command = new Command('logout')
    .description('Revoke and delete the tokens of a context')
    .option('--context <name>', 'Default: the current context (POSTERN_CONTEXT)')
  return addFormat(command).action(async (given: { readonly context?: string; readonly output: Format }) => {
    const { name, fault } = await changeContexts(ports, async (contexts) => {
      const name = given.context ?? (ports.env['POSTERN_CONTEXT'] || contexts.current)
      const credential = name === null ? undefined : contexts.contexts[name]?.credential
      if (name === null || credential?.kind !== 'oauth')
        throw new UsageError(
          name === null
            ? 'There is no current context. Name one with --context.'
            : `You are not signed in to ${name}.`,
        )
      const { issuer, client_id, access_token, refresh_token } = credential
      const fault = await revoke(ports, issuer, client_id, [refresh_token, access_token])
      return [withCredential(contexts, name, { kind: 'none' }), { name, fault }]
    })
    if (!printData(ports, given.output, { context: name, revoked: fault === null }))
      ports.out(`Signed out of ${name}.\n`)
    if (fault === null) return
    ports.err(
      `warning: the tokens are deleted here, but the server did not revoke them: ${printable(fault)}\n`,
    )
    throw new Failed(EXIT.error)
  })
}

async function urlOf(
  ports: CliPorts,
  { contexts, current }: Contexts,
  address: string | undefined,
  context: string | undefined,
  given: Given,
): Promise<string> {
  const named = address ?? (ports.env['POSTERN_URL'] || undefined)
  if (named !== undefined) return toOrigin(named)
  const kept = given.data === undefined ? contexts[context ?? current ?? '']?.url : undefined
  if (typeof kept === 'string') return kept
  const local = await askLocal(dataDirOf(ports, given), 'GET', '/info')
  // By the name that its certificate is for
  if (local !== null) return toOrigin(String(local['management_origin']))
  throw new UsageError('Give the URL of the instance, such as postern login https://gateway.example.com.')
}

/** The context that is for an address already, or a new one by its host. */
function nameFor({ contexts }: Contexts, url: string): string {
  const known = Object.entries(contexts).find(([, context]) => context.url === url)
  return known?.[0] ?? new URL(url).host.replaceAll(/[^A-Za-z0-9.-]+/g, '-').replace(/^-+/, '')
}

/** Revokes tokens (RFC 7009); why it could not, or null. */
async function revoke(
  ports: CliPorts,
  issuer: string,
  clientId: string,
  tokens: readonly (string | null)[],
): Promise<string | null> {
  try {
    const { oauth, server } = await discoverIssuer(ports, issuer, clientId)
    if (server.serverMetadata().revocation_endpoint === undefined)
      return `${issuer} does not support revocation of tokens`
    for (const token of tokens)
      if (token !== null)
        await oauth.tokenRevocation(server, token).catch((error: unknown) => {
          // A token that stands for itself ends with the sign-in whose refresh token was revoked (RFC 7009 section 2.1)
          if (!(error instanceof oauth.ResponseBodyError) || error.error !== 'unsupported_token_type')
            throw error
        })
    return null
  } catch (error) {
    return reasonOf(error)
  }
}

/** Signs a person in by another device (RFC 8628): shows where to go and what to enter, and asks until that is done. */
async function signInByDevice(
  ports: CliPorts,
  oauth: typeof OpenIdClient,
  server: OpenIdClient.Configuration,
  wanted: URLSearchParams,
): Promise<OpenIdClient.TokenEndpointResponse> {
  const started = await oauth.initiateDeviceAuthorization(server, wanted)
  const whole =
    started.verification_uri_complete === undefined
      ? ''
      : `Or, with the code in it: ${printable(started.verification_uri_complete)}\n`
  ports.err(
    `On any device, go to ${printable(started.verification_uri)} and enter the code ${printable(started.user_code)}\n${whole}Waiting ...\n`,
  )
  return oauth.pollDeviceAuthorizationGrant(server, started, { resource: wanted.get('resource')! })
}

/** How long a person may take, milliseconds. */
const PERSON_MS_MAX = 300_000
const CALLBACK = '/callback'
const WAITING = 'Waiting, at most five minutes. The browser must run on this machine.\n'
const ELSEWHERE = 'For a browser elsewhere press Ctrl-C and use postern login --device.\n'

/**
 * Signs a person in by their browser: an authorization code with PKCE, redirected to a port of the loopback that
 * listens for it alone (RFC 8252 section 7.3). State, issuer and verifier are checked. Gives null where there is no
 * browser to open and another device can be used; `isOpened` false leaves opening it to the person.
 */
async function signInByBrowser(
  ports: CliPorts,
  oauth: typeof OpenIdClient,
  server: OpenIdClient.Configuration,
  wanted: URLSearchParams,
  isOpened: boolean,
): Promise<OpenIdClient.TokenEndpointResponse | null> {
  const verifier = oauth.randomPKCECodeVerifier()
  const state = oauth.randomState()
  const codes = await listenForCode(state, (current) =>
    oauth.authorizationCodeGrant(
      server,
      current,
      { pkceCodeVerifier: verifier, expectedState: state },
      { resource: wanted.get('resource')! },
    ),
  )
  try {
    const own = {
      redirect_uri: codes.redirectUri,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
    }
    const address = oauth.buildAuthorizationUrl(
      server,
      new URLSearchParams([...wanted, ...Object.entries(own)]),
    )
    const hasDevices = server.serverMetadata().device_authorization_endpoint !== undefined
    const isThere = isOpened && (await Promise.race([ports.openBrowser(address.href), codes.answer]))
    if (isOpened && isThere === false && hasDevices) return null
    ports.err(`Sign in at this address:\n  ${address.href}\n`)
    ports.err(WAITING + (hasDevices ? ELSEWHERE : ''))
    return await codes.answer
  } finally {
    codes.close()
  }
}

interface Listening<T> {
  readonly redirectUri: string
  readonly answer: Promise<T>
  close(): void
}

async function listenForCode<T>(
  state: string,
  exchange: (current: URL) => Promise<T>,
): Promise<Listening<T>> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  let isTaken = false
  const listener = createServer((request, response) => {
    const current = new URL(request.url ?? '/', redirectUri)
    // Any page may send a browser here: what does not know the state changes nothing
    if (!isRedirect(request, current, state) || isTaken)
      return page(response, 400, 'This response belongs to no pending sign-in. Run postern login again.')
    isTaken = true
    exchange(current).then(
      (answer) => {
        page(response, 200, 'You are signed in. You can close this page and go back to the terminal.')
        resolve(answer)
      },
      (error: unknown) => {
        page(response, 400, `You are not signed in: ${reasonOf(error)}`)
        reject(error)
      },
    )
  })
  await new Promise<void>((done, failed) => {
    listener.once('error', failed).listen(0, '127.0.0.1', done)
  })
  const { port } = listener.address() as AddressInfo
  const redirectUri = `http://127.0.0.1:${port}${CALLBACK}`
  const timer = setTimeout(() => reject(new Error('nobody signed in within five minutes.')), PERSON_MS_MAX)
  return {
    redirectUri,
    answer: promise,
    close() {
      clearTimeout(timer)
      listener.close()
      listener.closeIdleConnections()
    },
  }
}

function isRedirect({ method }: IncomingMessage, { pathname, searchParams }: URL, state: string): boolean {
  return method === 'GET' && pathname === CALLBACK && searchParams.get('state') === state
}

function page(response: ServerResponse, status: number, sentence: string): void {
  response.writeHead(status, { ...pageHeaders({}), connection: 'close' })
  const title = status === 200 ? 'Signed in' : 'Not signed in'
  response.end(pageText({ title, content: html`<p>${sentence}</p>` }))
}
