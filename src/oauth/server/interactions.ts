import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Provider } from 'oidc-provider'
import type { Account, Accounts } from '../../access/accounts.ts'
import type { Clock } from '../../base/clock.ts'
import { formActionOf, type Page, pageHeaders, pageText } from '../../base/page.ts'
import { Refusal } from '../../base/refusal.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import { consentPage } from '../pages/consent.ts'
import { errorPage } from '../pages/error.ts'
import { signInPage } from '../pages/sign-in.ts'
import { CALLBACK_PATH, type SignIn } from '../sign-in/port.ts'
import type { Asker, Happening } from './audit.ts'
import { readText } from './body.ts'
import { isLocalRedirect, redirectHost } from './clients.ts'
import type { Consents } from './consents.ts'
import type { Sealed } from './sealed.ts'

export const INTERACTION = '/oauth/interaction/'

/** Who has just come back from an identity provider; known by a ticket for one minute and one use. */
const ARRIVAL = 'Arrival'
const ARRIVAL_MS = 60_000

export interface InteractionParts {
  readonly issuer: string
  readonly store: ConfigStore
  readonly clock: Clock
  readonly sealed: Sealed
  readonly accounts: Pick<Accounts, 'find'>
  readonly signIn: SignIn
  readonly consents: Consents
  readonly audit: (happening: Happening) => Promise<void>
}

type Interaction = Awaited<ReturnType<Provider['interactionDetails']>>

/** One request of a browser at a page. */
interface Visit {
  readonly provider: Provider
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly asker: Asker
}

export interface Interactions {
  /** Answers `/oauth/interaction/…` and the callback of an identity provider. */
  answer(visit: Visit): Promise<void>
}

/**
 * The pages between a request for authorization and its answer. Each belongs to the browser that holds the cookie of the
 * interaction, and each form to its page.
 */
export function createInteractions(parts: InteractionParts): Interactions {
  const { accounts, signIn, sealed, store, clock } = parts

  async function answer(visit: Visit): Promise<void> {
    const url = new URL(visit.request.url ?? '/', parts.issuer)
    if (url.pathname === CALLBACK_PATH) return comeBack(visit, url)
    const [uid = '', step = ''] = url.pathname.slice(INTERACTION.length).split('/')
    const interaction = await ofBrowser(visit, uid)
    if (interaction === null)
      return show(
        visit,
        400,
        errorPage('session_not_found', 'This page has expired, or belongs to another browser.'),
      )
    if (visit.request.method === 'POST' && step === '') return submit(visit, interaction)
    if (visit.request.method !== 'GET')
      return show(visit, 405, errorPage('invalid_request', 'This page cannot be used so.'))
    const ticket = url.searchParams.get('arrival')
    if (interaction.prompt.name === 'login' && ticket !== null) return arrive(visit, interaction, ticket)
    if (interaction.prompt.name === 'login' && step === 'provider' && signIn.provider !== null)
      return goThere(visit, uid)
    return ask(visit, interaction, null)
  }

  /** The interaction, where the browser has its cookie; the cookie alone says which one it is. */
  async function ofBrowser({ provider, request, response }: Visit, uid: string): Promise<Interaction | null> {
    try {
      const interaction = await provider.interactionDetails(request, response)
      return interaction.uid === uid ? interaction : null
    } catch (error) {
      if (error instanceof Error && error.name === 'SessionNotFound') return null
      throw error
    }
  }

  async function ask(visit: Visit, interaction: Interaction, fault: string | null): Promise<void> {
    const { uid, params, prompt, session } = interaction
    const client = await visit.provider.Client.find(String(params['client_id']))
    const clientId = client?.clientId ?? ''
    const redirectUri = typeof params['redirect_uri'] === 'string' ? params['redirect_uri'] : null
    const common = {
      path: INTERACTION + uid,
      csrf: sealed.sign(uid),
      formAction: redirectUri === null ? undefined : formActionOf(redirectUri),
    }
    if (prompt.name === 'login') {
      const { withPassword, provider } = signIn
      const page = signInPage({
        ...common,
        client: client?.clientName ?? clientId,
        withPassword,
        provider,
        fault,
      })
      return show(visit, fault === null ? 200 : 401, page)
    }
    const account = await accounts.find(session?.accountId ?? '')
    show(
      visit,
      200,
      consentPage({
        ...common,
        account: account?.name ?? '',
        client: { id: clientId, name: client?.clientName ?? null },
        redirectHost: redirectUri === null ? null : redirectHost(redirectUri),
        isLocal: redirectUri !== null && isLocalRedirect(redirectUri),
        resources: [params['resource']].flat().filter((one) => typeof one === 'string'),
        scopes: String(params['scope'] ?? '').split(' '),
      }),
    )
  }

  async function submit(visit: Visit, interaction: Interaction): Promise<void> {
    const form = new URLSearchParams((await readText(visit.request)) ?? '')
    if (!isEqual(form.get('csrf') ?? '', sealed.sign(interaction.uid)))
      return show(visit, 403, errorPage('access_denied', 'The form is not of this page.'))
    const { name } = interaction.prompt
    const choice = form.get('do')
    if (name === 'login' && choice === 'password') return signInBy(visit, interaction, form)
    if (name === 'consent' && choice === 'allow') return allow(visit, interaction)
    const error = { error: 'access_denied', error_description: 'The user did not allow it.' }
    if (name === 'consent') await noteConsent(visit, interaction, {}, 'access_denied')
    return finish(visit, interaction, error)
  }

  async function signInBy(visit: Visit, interaction: Interaction, form: URLSearchParams): Promise<void> {
    if (!signIn.withPassword) return ask(visit, interaction, 'Passwords are not taken here.')
    try {
      const account = await signIn.password(form.get('name') ?? '', form.get('password') ?? '', visit.asker)
      return await signedIn(visit, interaction, account)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      const text =
        error.code === 'auth_throttled' ? 'Too many attempts. Wait a little.' : 'Name or password is wrong.'
      return ask(visit, interaction, text)
    }
  }

  async function goThere(visit: Visit, uid: string): Promise<void> {
    try {
      return redirect(visit, (await signIn.begin(uid)).href)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      return notIn(visit, error)
    }
  }

  function notIn(visit: Visit, { code, message, status }: Refusal): void {
    if (code === 'identity_unavailable') show(visit, status, errorPage('temporarily_unavailable', message))
    else show(visit, 401, errorPage('access_denied', 'The identity provider did not let you in.'))
  }

  /** From the identity provider, back to the page that the browser came from: only there is its cookie. */
  async function comeBack(visit: Visit, url: URL): Promise<void> {
    let done: Awaited<ReturnType<SignIn['finish']>>
    try {
      done = await signIn.finish(url, visit.asker)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      return notIn(visit, error)
    }
    const ticket = randomBytes(32).toString('base64url')
    const id = sealed.hash(ticket)
    await store.write(({ oauth }) =>
      oauth.put({
        kind: ARRIVAL,
        id,
        sealed: sealed.seal(JSON.stringify([done.interaction, done.account.id]), ARRIVAL, id),
        grant_id: null,
        other_id: null,
        account_id: done.account.id,
        created_at: clock.now(),
        expires_at: clock.now() + ARRIVAL_MS,
        used_at: null,
      }),
    )
    redirect(
      visit,
      `${INTERACTION}${encodeURIComponent(done.interaction)}?arrival=${encodeURIComponent(ticket)}`,
    )
  }

  async function arrive(visit: Visit, interaction: Interaction, ticket: string): Promise<void> {
    const id = sealed.hash(ticket)
    const found = await store.read.oauth.artifact(ARRIVAL, id)
    const isFirst =
      found !== undefined && (await store.write(({ oauth }) => oauth.use(ARRIVAL, id, clock.now())))
    if (!isFirst || (found.expires_at ?? 0) <= clock.now())
      return ask(visit, interaction, 'Sign in once more.')
    // Only comeBack seals these.
    const [uid, accountId] = JSON.parse(sealed.open(found.sealed, ARRIVAL, id)) as [string, string]
    const account = uid === interaction.uid ? await accounts.find(accountId) : undefined
    if (account?.active !== true) return ask(visit, interaction, 'Sign in once more.')
    return signedIn(visit, interaction, account)
  }

  async function signedIn(visit: Visit, interaction: Interaction, account: Account): Promise<void> {
    const { session } = interaction
    if (session?.accountId !== undefined && session.accountId !== account.id) {
      // Someone else signs in at this browser: the session before ends here, without asking for that by a script
      const before = await visit.provider.Session.findByUid(session.uid)
      await before?.destroy()
      interaction.session = undefined
    }
    return finish(visit, interaction, { login: { accountId: account.id } })
  }

  async function allow(visit: Visit, interaction: Interaction): Promise<void> {
    const { provider } = visit
    const { grantId, params, session, prompt } = interaction
    const grant =
      (grantId === undefined ? undefined : await provider.Grant.find(grantId)) ??
      new provider.Grant({ accountId: session?.accountId ?? '', clientId: String(params['client_id']) })
    const { missingOIDCScope: openid, missingResourceScopes: missing } = prompt.details as {
      missingOIDCScope?: string[]
      missingResourceScopes?: Record<string, string[]>
    }
    if (openid !== undefined) grant.addOIDCScope(openid)
    for (const [resource, scopes] of Object.entries(missing ?? {})) grant.addResourceScope(resource, scopes)
    await grant.save()
    await parts.consents.remember(grant)
    await noteConsent(visit, interaction, {
      resource: String(params['resource'] ?? ''),
      scope: String(params['scope'] ?? ''),
    })
    return finish(visit, interaction, { consent: { grantId: grant.jti } })
  }

  async function noteConsent(
    { asker }: Visit,
    { session, params }: Interaction,
    facts: Record<string, string>,
    denied?: string,
  ): Promise<void> {
    const account = await accounts.find(session?.accountId ?? '')
    await parts.audit({
      operation: 'consent',
      actor: { id: account?.id ?? '', type: 'user', name: account?.slug ?? '' },
      client: String(params['client_id']),
      asker,
      facts,
      ...(denied === undefined ? {} : { denied }),
    })
  }

  async function finish(visit: Visit, interaction: Interaction, result: NonNullable<Interaction['result']>) {
    const { lastSubmission } = interaction
    interaction.result = 'error' in result ? result : { ...lastSubmission, ...result }
    await interaction.persist()
    redirect(visit, interaction.returnTo)
  }

  return { answer }
}

function isEqual(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)]
  return one.length === other.length && timingSafeEqual(one, other)
}

function redirect({ response }: Visit, location: string): void {
  response.writeHead(303, { location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' })
  response.end()
}

function show({ response }: Pick<Visit, 'response'>, status: number, page: Page): void {
  response.writeHead(status, pageHeaders(page))
  response.end(pageText(page))
}
