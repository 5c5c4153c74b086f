/**
 * The console at `/console`: its files, and the sign-in of people. The server is the OAuth client, so no token reaches the
 * browser.
 *
 * 1. A sign-in belongs to the browser that began it: its state is in a cookie for a quarter of an hour.
 * 2. The page itself needs no cookie. The session cookie can therefore be `SameSite=Strict`: a browser that comes back from
 *    another site sends it with the first request of the page.
 * 3. Over plain HTTP, sign-in works only at an address of the loopback.
 */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { DOORS } from '../../base/doors.ts'
import {
  CONSOLE_HEADER,
  CONSOLE_LOGOUT_PATH,
  CONSOLE_SESSION_PATH,
  cookieValues,
  ownCookieNames,
} from '../../base/http/fields.ts'
import { createOriginFor, type Origins } from '../../base/http/origins.ts'
import { faultPage, html, page } from '../../base/http/page.ts'
import { isLoopbackHost } from '../../base/net/address.ts'
import { Refusal, refuse, toProblem } from '../../base/refusal.ts'
import { type BundleSource, encodingFor } from './bundle.ts'

const ROOT = DOORS.console.path
export const LOGIN_PATH = `${ROOT}/login`
const CALLBACK_PATH = `${ROOT}/callback`
const ASSETS = `${ROOT}/assets/`
/** How long a sign-in may take, seconds. */
const SIGN_IN_S = 15 * 60
const RETURN_MAX = 2000

/** URLs to which browsers are sent back after the sign-in, by the origins of the console and their other names. */
export function callbacksOf(origins: readonly string[]): readonly string[] {
  return origins.map((origin) => origin + CALLBACK_PATH)
}

interface Asker {
  readonly ip: string | null
  readonly userAgent: string | null
  readonly requestId: string | null
}

interface SignedIn {
  readonly account: string
  readonly browser: string
}

export interface ConsoleParts {
  readonly bundle: BundleSource
  /** Where the console is reached. */
  readonly origins: Origins
  /** Origin of the authorization server. */
  readonly issuer: string
  readonly clientId: string
  /** How long a session lasts, milliseconds. */
  readonly sessionMs: number
  readonly redeem: (
    brought: { readonly code: string; readonly verifier: string; readonly redirectUri: string },
    asker: Asker,
  ) => Promise<SignedIn | null>
  readonly signedOut: (signedIn: SignedIn, asker: Asker) => Promise<void>
  readonly sessions: {
    start(account: string, browser: string): Promise<string | null>
    end(value: string): Promise<SignedIn | null>
    verify(value: string): Promise<unknown>
  }
  readonly facts: (request: Request) => { readonly ip: string | null; readonly requestId: string }
  readonly fault: (error: unknown, requestId: string) => void
}

/** What is served below `/console`. */
export function createConsole(parts: ConsoleParts): (request: Request) => Promise<Response> {
  const originFor = createOriginFor(parts.origins)

  return async (request) => {
    const { requestId, ip } = parts.facts(request)
    const asker = { ip, requestId, userAgent: request.headers.get('user-agent')?.slice(0, 512) ?? null }
    try {
      const url = new URL(request.url)
      const host = request.headers.get('host')
      const answer = await route(request, url, originFor(host), asker)
      answer.headers.set('x-request-id', requestId)
      return answer
    } catch (error) {
      parts.fault(error, requestId)
      return withHeaders(
        faultPage(
          500,
          'Something went wrong',
          `The log of the server has the cause, under the request id ${requestId}.`,
        ),
      )
    }
  }

  function route(request: Request, url: URL, origin: string, asker: Asker): Promise<Response> {
    const { pathname } = url
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    if (pathname === CONSOLE_LOGOUT_PATH) return logOut(request, origin, asker)
    if (!isRead) return Promise.resolve(notAllowed('GET, HEAD', asker))
    if (pathname === LOGIN_PATH) return Promise.resolve(logIn(request, url, origin))
    if (pathname === CALLBACK_PATH) return comeBack(request, url, origin, asker)
    if (pathname === CONSOLE_SESSION_PATH) return state(request, origin)
    if (pathname === ROOT) return Promise.resolve(redirect(`${ROOT}/`))
    return serve(request, pathname, origin, asker)
  }

  async function serve(request: Request, pathname: string, origin: string, asker: Asker): Promise<Response> {
    const bundle = await parts.bundle.read()
    if (bundle === null) return notBuilt()
    const isAsset = pathname.startsWith(ASSETS)
    const file = bundle.file(isAsset ? pathname.slice(ROOT.length + 1) : 'index.html')
    if (file === undefined) {
      const problem = toProblem(
        refuse('not_found', { detail: 'There is no such file.' }),
        asker.requestId ?? '',
      )
      return withHeaders(
        new Response(JSON.stringify(problem), {
          status: 404,
          headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
        }),
      )
    }
    const encoding = encodingFor(request.headers.get('accept-encoding') ?? '', file)
    const etag = `"${file.etag}-${encoding}"`
    const headers: Record<string, string> = {
      'content-type': file.type,
      'cache-control': isAsset ? 'public, max-age=31536000, immutable' : 'no-cache',
      etag,
      vary: 'accept-encoding',
      ...pageHeaders(origin),
    }
    if (
      request.headers
        .get('if-none-match')
        ?.split(/\s*,\s*/)
        .includes(etag) === true
    )
      return new Response(null, { status: 304, headers })
    const bytes = file.bytes[encoding]!
    if (encoding !== 'identity') headers['content-encoding'] = encoding
    headers['content-length'] = String(bytes.length)
    return new Response(request.method === 'HEAD' ? null : (bytes as Uint8Array<ArrayBuffer>), { headers })
  }

  async function state(request: Request, origin: string): Promise<Response> {
    const { console: name } = ownCookieNames(isSecure(origin))
    const values = isFromConsole(request.headers) ? cookieValues(request.headers.get('cookie'), name) : []
    let isSignedIn = false
    for (const value of values) isSignedIn ||= await isSession(value)
    return withHeaders(
      new Response(JSON.stringify({ signed_in: isSignedIn }), {
        headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
      }),
    )
  }

  function isSession(value: string): Promise<boolean> {
    return parts.sessions.verify(value).then(
      () => true,
      (error: unknown) => {
        if (error instanceof Refusal && error.status === 401) return false
        throw error
      },
    )
  }

  function logIn(request: Request, url: URL, origin: string): Response {
    const fault = placeFault(request, origin)
    if (fault !== null) return withHeaders(faultPage(403, 'Sign-in is not possible here', fault))
    const state = randomBytes(32).toString('base64url')
    const verifier = randomBytes(32).toString('base64url')
    const back = Buffer.from(returnPath(url.searchParams.get('return_to'))).toString('base64url')
    const target = new URL('/oauth/authorize', parts.issuer)
    target.search = new URLSearchParams({
      client_id: parts.clientId,
      response_type: 'code',
      redirect_uri: origin + CALLBACK_PATH,
      scope: 'openid',
      state,
      code_challenge: hash('sha256', verifier, 'base64url'),
      code_challenge_method: 'S256',
    }).toString()
    const names = ownCookieNames(isSecure(origin))
    // Lax: the browser comes back with it from the authorization server, which may be another site
    return redirect(target.href, [
      cookie(names.consoleSignIn, `${state}.${verifier}.${back}`, {
        origin,
        maxAge: SIGN_IN_S,
        sameSite: 'Lax',
      }),
    ])
  }

  async function comeBack(request: Request, url: URL, origin: string, asker: Asker): Promise<Response> {
    const names = ownCookieNames(isSecure(origin))
    const over = cookie(names.consoleSignIn, '', { origin, maxAge: 0, sameSite: 'Lax' })
    const said = url.searchParams.get('state') ?? ''
    const kept = cookieValues(request.headers.get('cookie'), names.consoleSignIn)
      .map((value) => value.split('.'))
      .find(([state = '']) => isEqual(said, state))
    const [, verifier = '', back = ''] = kept ?? []
    if (kept === undefined) return again('This sign-in has expired, or was started in another browser.', over)
    if (url.searchParams.has('error')) return again('The sign-in was not completed.', over)
    const code = url.searchParams.get('code') ?? ''
    const redirectUri = origin + CALLBACK_PATH
    const signedIn = await parts.redeem({ code, verifier, redirectUri }, asker)
    if (signedIn === null) return again('This sign-in was already used, or is too old.', over)
    // A browser has one session: what it had before is over
    for (const before of cookieValues(request.headers.get('cookie'), names.console))
      await parts.sessions.end(before)
    const value = await parts.sessions.start(signedIn.account, signedIn.browser)
    if (value === null) return again('This sign-in has ended.', over)
    const session = cookie(names.console, value, {
      origin,
      maxAge: parts.sessionMs / 1000,
      sameSite: 'Strict',
    })
    return redirect(returnPath(Buffer.from(back, 'base64url').toString('utf8')), [over, session])
  }

  async function logOut(request: Request, origin: string, asker: Asker): Promise<Response> {
    if (request.method !== 'POST') return notAllowed('POST', asker)
    if (!isFromConsole(request.headers))
      return problem(
        refuse('credentials_missing', {
          detail:
            'The session cookie is accepted only in requests of the console: with X-Postern-Console: 1, from its own origin.',
        }),
        asker,
      )
    const names = ownCookieNames(isSecure(origin))
    for (const value of cookieValues(request.headers.get('cookie'), names.console)) {
      const ended = await parts.sessions.end(value)
      if (ended !== null) await parts.signedOut(ended, asker)
    }
    const headers = new Headers({ 'cache-control': 'no-store' })
    headers.append('set-cookie', cookie(names.console, '', { origin, maxAge: 0, sameSite: 'Strict' }))
    return withHeaders(new Response(null, { status: 204, headers }))
  }
}

/** Why nobody can sign in at this place; null if people can. */
function placeFault(request: Request, origin: string): string | null {
  const host = request.headers.get('host')?.toLowerCase() ?? ''
  const { protocol, hostname, host: own } = new URL(origin)
  if (host !== own) return `This is not the address of the console. Open ${origin}${ROOT}/ instead.`
  if (protocol === 'https:' || isLoopbackHost(hostname)) return null
  return `The console came over plain HTTP to ${own}, so anyone on the network path could take over your session. Serve it over HTTPS: set POSTERN_CONTROL_TLS_CERT and POSTERN_CONTROL_TLS_KEY, or let a proxy terminate TLS and set POSTERN_CONTROL_ORIGIN to its https address. On the machine itself, use a loopback address.`
}

/** Only pages of the console: anything else could be of another site. */
export function returnPath(given: string | null): string {
  const home = `${ROOT}/`
  if (given === null || given.length > RETURN_MAX || !given.startsWith(home)) return home
  // As a browser reads it: backslashes, dots and control characters change what it means
  const url = URL.parse(given, 'http://console.invalid')
  if (url === null || url.origin !== 'http://console.invalid' || !url.pathname.startsWith(home)) return home
  if (/[\\\u0000-\u0020]|\/\//.test(given)) return home
  if ([LOGIN_PATH, CALLBACK_PATH, CONSOLE_LOGOUT_PATH, CONSOLE_SESSION_PATH].includes(url.pathname))
    return home
  return url.pathname + url.search
}

function isSecure(origin: string): boolean {
  return origin.startsWith('https:')
}

interface CookieOptions {
  readonly origin: string
  /** Seconds. */
  readonly maxAge: number
  readonly sameSite: 'Strict' | 'Lax'
}

function cookie(name: string, value: string, { origin, maxAge, sameSite }: CookieOptions): string {
  const secure = isSecure(origin) ? '; Secure' : ''
  return `${name}=${value}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=${sameSite}${secure}`
}

function isEqual(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)]
  return one.length > 0 && one.length === other.length && timingSafeEqual(one, other)
}

/** Headers of a page of the console: scripts and styles are its own files alone, and nothing else may be loaded, framed or sent. */
function pageHeaders(origin: string): Record<string, string> {
  const assets = `${origin}${ASSETS}`
  return {
    'content-security-policy': [
      "default-src 'none'",
      `script-src ${assets}`,
      `style-src ${assets}`,
      "img-src 'self' data:",
      "connect-src 'self'",
      "form-action 'self'",
      "base-uri 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ].join('; '),
    ...SAFETY,
  }
}

const SAFETY = {
  'cross-origin-opener-policy': 'same-origin',
  'x-frame-options': 'DENY',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
} as const

function withHeaders(response: Response): Response {
  for (const [name, value] of Object.entries(SAFETY)) response.headers.set(name, value)
  return response
}

function redirect(location: string, cookies: readonly string[] = []): Response {
  const headers = new Headers({ location, 'cache-control': 'no-store' })
  for (const one of cookies) headers.append('set-cookie', one)
  return withHeaders(new Response(null, { status: 303, headers }))
}

function again(sentence: string, over: string): Response {
  const response = page(
    400,
    'You are not signed in',
    html`<p class="fault" role="alert">${sentence}</p><p><a href="${LOGIN_PATH}">Sign in again</a></p>`,
  )
  response.headers.append('set-cookie', over)
  return withHeaders(response)
}

function notBuilt(): Response {
  return withHeaders(
    page(
      503,
      'The console is not built',
      html`<p>Run <code>npm run build</code> in the folder of Postern, then load this page again. Everything else works without it.</p>`,
    ),
  )
}

function notAllowed(allow: string, asker: Asker): Response {
  const response = problem(refuse('method_not_allowed', { detail: `This path answers ${allow}.` }), asker)
  response.headers.set('allow', allow)
  return response
}

function problem(refusal: ReturnType<typeof refuse>, { requestId }: Asker): Response {
  return withHeaders(
    new Response(JSON.stringify(toProblem(refusal, requestId ?? '')), {
      status: refusal.status,
      headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
    }),
  )
}

/**
 * True for a request that a page of this very origin made for the console. Another port of the host is another origin that browsers
 * send cookies to, so the cookie alone proves nothing (Fetch Metadata, `Sec-Fetch-Site`).
 */
export function isFromConsole(headers: Headers): boolean {
  return headers.get('sec-fetch-site') === 'same-origin' && headers.get(CONSOLE_HEADER) === '1'
}
