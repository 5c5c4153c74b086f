import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type * as OpenIdClient from 'openid-client'
import { html, pageHeaders, pageText } from '../../base/http/page.ts'
import { reasonOf } from './authorization-server.ts'
import type { CliPorts } from './ports.ts'

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
export async function signInByBrowser(
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
      return page(response, 400, 'This is no answer to a sign-in that is under way.')
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
