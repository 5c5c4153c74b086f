import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ConsoleSessions } from '../access/console-sessions.ts'
import { CONSOLE_SESSION_MS } from '../access/console-sessions.ts'
import type { Sender } from '../access/sender.ts'
import { isLoopbackHost } from '../base/address.ts'
import { CONSOLE_FIELD, consoleCredential, cookieOf } from '../base/console-credential.ts'
import { CONSOLE_COOKIES, SECURE_CONSOLE_COOKIES } from '../base/own-cookies.ts'
import { html, pageHeaders, pageText } from '../base/page.ts'
import { Refusal, refuse, toProblem } from '../base/refusal.ts'
import { PREAMBLE } from '../fleet/shared/preamble.ts'
import { CONSOLE_CALLBACK, CONSOLE_CLIENT_ID } from '../oauth/server/clients.ts'
import type { Bundle } from '../surfaces/console/bundle.ts'
import type { OAuthDoor } from './oauth-door.ts'

const HOME = '/console/'
/** From the start of a sign-in to its end, seconds. */
const SIGN_IN_SECONDS = 15 * 60

export interface ConsoleDoorParts {
  readonly issuer: string
  /** Where the console may be served. */
  readonly origins: ReadonlySet<string>
  readonly redeem: OAuthDoor['redeem']
  readonly sessions: ConsoleSessions
  readonly bundle: Bundle
}

/** One request at the console. */
interface Visit {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly url: URL
  readonly origin: string
  readonly names: typeof CONSOLE_COOKIES
  readonly sender: Sender
}

/**
 * The web console: its files, and the sign-in of its people with the code flow and PKCE. The server itself is the OAuth client, so
 * that no token reaches the browser. The page `index.html` needs no cookie: a strict cookie is not sent with the redirect that
 * ends a sign-in at another site.
 */
export function createConsoleDoor(parts: ConsoleDoorParts) {
  const { sessions, bundle } = parts

  function login({ response, url, origin, names }: Visit): void {
    const [state, verifier] = [randomBytes(32).toString('base64url'), randomBytes(32).toString('base64url')]
    const to = Buffer.from(returnTo(url.searchParams.get('return_to') ?? HOME)).toString('base64url')
    const target = new URL('/oauth/authorize', parts.issuer)
    target.search = new URLSearchParams({
      client_id: CONSOLE_CLIENT_ID,
      response_type: 'code',
      redirect_uri: origin + CONSOLE_CALLBACK,
      scope: 'openid',
      state,
      code_challenge: hash('sha256', verifier, 'base64url'),
      code_challenge_method: 'S256',
    }).toString()
    const cookie = setCookie(names.signIn, `${state}.${verifier}.${to}`, 'Lax', SIGN_IN_SECONDS, origin)
    response.writeHead(303, { ...commonHeaders(origin), location: target.href, 'set-cookie': cookie }).end()
  }

  async function callback(visit: Visit): Promise<void> {
    const { request, response, url, origin, names, sender } = visit
    const kept = cookieOf(request.headers.cookie ?? '', names.signIn)
    const [state = '', verifier = '', to = ''] = (kept ?? '').split('.')
    const code = url.searchParams.get('code')
    const isOwn = state !== '' && isEqual(state, url.searchParams.get('state') ?? '')
    const done =
      isOwn && code !== null
        ? await parts.redeem({ code, verifier, redirectUri: origin + CONSOLE_CALLBACK })
        : null
    const forget = setCookie(names.signIn, '', 'Lax', 0, origin)
    if (done === null) {
      const why = !isOwn
        ? 'This sign-in has expired, or was started in another browser.'
        : code === null
          ? 'The sign-in was not completed.'
          : 'This sign-in was used before, or has expired.'
      show(visit, 400, 'You are not signed in', why, `${HOME}login`, isOwn ? [forget] : [])
      return
    }
    const token = await sessions.begin(done.account, done.session, sender)
    const session = setCookie(names.session, token, 'Strict', CONSOLE_SESSION_MS / 1000, origin)
    const location = returnTo(Buffer.from(to, 'base64url').toString('utf8'))
    response.writeHead(303, { ...commonHeaders(origin), location, 'set-cookie': [session, forget] }).end()
  }

  async function logout({ request, response, origin, names, sender }: Visit): Promise<void> {
    const credential = consoleCredential({
      cookie: request.headers.cookie,
      site: text(request, 'sec-fetch-site'),
      field: text(request, CONSOLE_FIELD),
    })
    if (credential?.ok !== true)
      throw refuse('credentials_missing', {
        detail: credential?.reason ?? 'The request has no session of the console. Sign in at /console/login.',
      })
    await sessions.end(credential.token, sender)
    const forget = setCookie(names.session, '', 'Strict', 0, origin)
    response.writeHead(204, { ...commonHeaders(origin), 'set-cookie': forget }).end()
  }

  function file(visit: Visit): void {
    const { request, response, url, origin } = visit
    if (!bundle.isBuilt()) {
      show(visit, 503, 'The console is not built', 'Run npm run build, and load this page again.', null)
      return
    }
    const isAsset = url.pathname.startsWith('/console/assets/')
    const name = isAsset ? url.pathname.slice(HOME.length) : 'index.html'
    const accepts = text(request, 'accept-encoding') ?? ''
    const answer = bundle.answer(name, accepts, text(request, 'if-none-match') ?? '')
    if (answer === null) {
      show(visit, 404, 'There is no such file', 'The console may have been updated: load it again.', HOME)
      return
    }
    const headers = { ...commonHeaders(origin), ...answer.headers }
    response.writeHead(answer.status, headers).end(request.method === 'HEAD' ? undefined : answer.body)
  }

  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const host = (request.headers.host ?? '').toLowerCase()
    const origin = [...parts.origins].find((one) => URL.parse(one)?.host === host) ?? null
    const isSecure = origin?.startsWith('https:') === true
    const visit: Visit = {
      request,
      response,
      url: new URL(request.url ?? HOME, 'http://console'),
      origin: origin ?? [...parts.origins][0]!,
      names: isSecure ? SECURE_CONSOLE_COOKIES : CONSOLE_COOKIES,
      sender: {
        ip: text(request, PREAMBLE.peer) ?? null,
        userAgent: text(request, 'user-agent')?.slice(0, 512) ?? null,
      },
    }
    const { pathname } = visit.url
    const allowed = pathname === '/console/logout' ? ['POST'] : ['GET', 'HEAD']
    try {
      if (!allowed.includes(request.method ?? ''))
        throw refuse('method_not_allowed', { detail: `This path answers ${allowed.join(', ')}.` })
      if (pathname === '/console')
        response.writeHead(308, { ...commonHeaders(visit.origin), location: HOME }).end()
      else if (pathname === '/console/logout') await logout(visit)
      else if (pathname !== '/console/login' && pathname !== CONSOLE_CALLBACK) file(visit)
      else if (request.method !== 'GET')
        response.writeHead(405, { ...commonHeaders(visit.origin), allow: 'GET' }).end()
      else if (origin === null || (!isSecure && !isLoopbackHost(new URL(origin).hostname)))
        show(visit, 400, 'Sign-in is not possible here', unsafe(origin), null)
      else if (pathname === CONSOLE_CALLBACK) await callback(visit)
      else login(visit)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      const allow = error.code === 'method_not_allowed' ? { allow: allowed.join(', ') } : {}
      response
        .writeHead(error.status, {
          ...commonHeaders(visit.origin),
          ...allow,
          'content-type': 'application/problem+json',
        })
        .end(JSON.stringify(toProblem(error, text(request, PREAMBLE.requestId) ?? '')))
    }
  }
}

function unsafe(origin: string | null): string {
  return origin === null
    ? 'The console is not known by this address. Open it by the address in POSTERN_CONTROL_ORIGIN or POSTERN_ORIGIN, or set these to this address.'
    : 'Over http, anyone on the way could take over the session. Set POSTERN_TLS_CERT, or POSTERN_CONTROL_ORIGIN (on the gateway listener POSTERN_ORIGIN) to the https address of a proxy in front.'
}

/** Headers of every answer. */
function commonHeaders(origin: string): Record<string, string> {
  const assets = `${origin}/console/assets/`
  return {
    'content-security-policy': `default-src 'none'; script-src ${assets}; style-src ${assets}; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'`,
    'cross-origin-opener-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'x-frame-options': 'DENY',
    'cache-control': 'no-store',
  }
}

function show(
  { response, origin }: Visit,
  status: number,
  title: string,
  sentence: string,
  link: string | null,
  cookies: readonly string[] = [],
): void {
  const more = link === null ? null : html` <a href="${link}">Continue</a>`
  const content = html`<p class="fault" role="alert">${sentence}${more}</p>`
  response.writeHead(status, {
    ...commonHeaders(origin),
    'content-type': pageHeaders({})['content-type'],
    'set-cookie': [...cookies],
  })
  response.end(pageText({ title, content }))
}

/** A path of the console, as a browser would read it; the start page for any other text. */
export function returnTo(path: string): string {
  if (!path.startsWith(HOME) || /[\\\p{Cc}]/u.test(path)) return HOME
  const url = URL.parse(path, 'http://console')
  if (url?.origin !== 'http://console' || !url.pathname.startsWith(HOME)) return HOME
  if (/%(?:2e|2f|5c)/i.test(url.pathname)) return HOME
  return url.pathname + url.search + url.hash
}

function setCookie(
  name: string,
  value: string,
  sameSite: 'Lax' | 'Strict',
  seconds: number,
  origin: string,
): string {
  const secure = origin.startsWith('https:') ? '; Secure' : ''
  return `${name}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=${sameSite}${secure}`
}

function text({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' ? value : undefined
}

function isEqual(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)]
  return one.length === other.length && timingSafeEqual(one, other)
}
