/** One request of a browser at a page of the authorization server, and the interaction to which it belongs. */

import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import type { Configuration, Provider } from 'oidc-provider'
import type { Account, Accounts } from '../../access/accounts.ts'
import { isAtOrBelow } from '../../base/doors.ts'
import { formActionOf, type Page, pageHeaders, pageText } from '../../base/http/page.ts'
import { isStorable, toStorable } from '../../base/json/storable.ts'
import type { Sealed } from './adapter.ts'
import type { Asker } from './audit.ts'
import { PAGES_CLIENT_ID, type ShownClient, SIGNED_IN_PATH, shownClient } from './clients.ts'
import type { ClientDocuments } from './documents.ts'

export const INTERACTION = '/oauth/interaction/'
/** Pages on which people connect their accounts at origins. */
export const CONNECT = '/connect'

export type Interaction = Awaited<ReturnType<Provider['interactionDetails']>>

/** One request, as the engine hands it to what it was set up with. */
export type EngineContext = Parameters<NonNullable<Configuration['findAccount']>>[0]

/** One request of a browser at a page. */
export interface Visit {
  readonly provider: Provider
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly asker: Asker
}

/** The interaction, where the browser has its cookie; the cookie alone says which one it is. */
export async function interactionOf(
  { provider, request, response }: Visit,
  uid: string,
): Promise<Interaction | null> {
  try {
    const interaction = await provider.interactionDetails(request, response)
    return interaction.uid === uid ? interaction : null
  } catch (error) {
    if (error instanceof Error && error.name === 'SessionNotFound') return null
    throw error
  }
}

/** What the pages of an interaction have in common. */
export interface Asked {
  readonly client: ShownClient
  /** Null for a device, which gets no redirect. */
  readonly redirectUri: string | null
  readonly form: {
    readonly path: string
    readonly csrf: string
    readonly formAction: string | undefined
  }
}

export interface AskedParts {
  readonly sealed: Sealed
  readonly documents: Pick<ClientDocuments, 'nameOf'>
}

/** Who asks in an interaction, and the form by which the person answers. */
export async function askedOf(
  { provider }: Visit,
  { uid, params }: Interaction,
  { sealed, documents }: AskedParts,
): Promise<Asked> {
  const client = await provider.Client.find(String(params['client_id']))
  const id = client?.clientId ?? ''
  const redirectUri = typeof params['redirect_uri'] === 'string' ? params['redirect_uri'] : null
  return {
    client: shownClient(id, client?.clientName, documents.nameOf(id)),
    redirectUri,
    form: {
      path: INTERACTION + uid,
      csrf: sealed.sign(uid),
      formAction: redirectUri === null ? undefined : formActionOf(redirectUri),
    },
  }
}

/** Gives the engine what came of a step, beside what came of those before, and sends the browser on. */
export async function finish(
  visit: Visit,
  interaction: Interaction,
  result: NonNullable<Interaction['result']>,
): Promise<void> {
  const { lastSubmission } = interaction
  interaction.result = 'error' in result ? result : { ...lastSubmission, ...result }
  await interaction.persist()
  redirect(visit, interaction.returnTo)
}

export function redirect({ response }: Visit, location: string): void {
  response.writeHead(303, { location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' })
  response.end()
}

export function show({ response }: Visit, status: number, page: Page): void {
  response.writeHead(status, pageHeaders(page))
  response.end(pageText(page))
}

/** As {@link show}, where the engine has the request. */
export function answerPage(context: Pick<EngineContext, 'set' | 'body'>, page: Page): void {
  context.set(pageHeaders(page))
  context.body = pageText(page)
}

/** The person who is signed in at a browser. */
export interface BrowserSession {
  readonly account: Account
  /** Token in each form of this session, against forms that other sites send (CSRF). */
  readonly csrf: string
}

export interface BrowserSessions {
  /** Null if no person is signed in. */
  of(visit: Visit): Promise<BrowserSession | null>
  /** Sends the browser to sign in, and back to a page. @param anew shows the sign-in page to a person who is signed in */
  signIn(visit: Visit, page: string, anew?: boolean): void
  /** After the sign-in: sends the browser back to its page. @param state as made by {@link signIn} */
  comeBack(visit: Visit, state: string): void
}

/** Pages to which a browser comes back. */
const PAGES = [CONNECT, INTERACTION.slice(0, -1)]

/**
 * The session of a browser with the authorization server, for pages beside those of an authorization. A person signs in as for any
 * client, with the code flow: the code is never redeemed, because the session cookie already identifies the person.
 */
export function createBrowserSessions(
  issuer: string,
  sealed: Sealed,
  accounts: Pick<Accounts, 'find'>,
): BrowserSessions {
  const signed = (page: string): string => sealed.sign(`page\n${page}`)
  return {
    async of({ provider, request, response }) {
      const session = await provider.Session.get(provider.createContext(request, response) as never)
      const account = session.accountId === undefined ? undefined : await accounts.find(session.accountId)
      if (account?.active !== true) return null
      return { account, csrf: sealed.sign(`session\n${session.uid}`) }
    },
    signIn(visit, page, anew = false) {
      const url = new URL('/oauth/authorize', issuer)
      url.search = new URLSearchParams({
        client_id: PAGES_CLIENT_ID,
        response_type: 'code',
        redirect_uri: issuer + SIGNED_IN_PATH,
        scope: 'openid',
        state: `${Buffer.from(page).toString('base64url')}.${signed(page)}`,
        code_challenge: randomBytes(32).toString('base64url'),
        code_challenge_method: 'S256',
        ...(anew ? { prompt: 'login' } : {}),
      }).toString()
      redirect(visit, url.href)
    },
    comeBack(visit, state) {
      const [text = '', signature = ''] = state.split('.')
      const page = Buffer.from(text, 'base64url').toString('utf8')
      const [path = ''] = page.split('?')
      const isOwn = signature === signed(page) && PAGES.some((one) => isAtOrBelow(path, one))
      redirect(visit, issuer + (isOwn ? page : CONNECT))
    },
  }
}

const BYTES_MAX = 56 * 1024

/** The body as text, or null when it is larger than anything here needs. */
export async function readText(request: IncomingMessage): Promise<string | null> {
  const pieces: Buffer[] = []
  let bytes = 0
  // Leaving the loop must not take the connection with it: the refusal still has to be said
  for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += piece.length
    if (bytes > BYTES_MAX) return null
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}

/** The name of the first parameter of a query or form that no store keeps; null where there is none. */
export function unstorableField(fields: URLSearchParams): string | null {
  for (const [name, value] of fields) if (!isStorable(name) || !isStorable(value)) return toStorable(name)
  return null
}

/** The same request with another body. */
export function withBody(request: IncomingMessage, text: string): IncomingMessage {
  const bytes = Buffer.from(text)
  const { method, url, httpVersion, httpVersionMajor, httpVersionMinor, socket, rawHeaders } = request
  const headers = { ...request.headers, 'content-length': String(bytes.length) }
  delete headers['transfer-encoding']
  // All that the engine looks at; a request cannot be read twice.
  return Object.assign(Readable.from([bytes], { objectMode: false }), {
    method,
    url,
    httpVersion,
    httpVersionMajor,
    httpVersionMinor,
    socket,
    rawHeaders,
    headers,
  }) as unknown as IncomingMessage
}
