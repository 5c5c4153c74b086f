/**
 * The pages between an authorization request and its response: sign-in, then consent. An interaction belongs to the browser
 * that has its cookie, and a form to its page.
 */
import { timingSafeEqual } from 'node:crypto'
import type { Account, Accounts } from '../../access/accounts.ts'
import type { McpAccess, McpOffer } from '../../access/mcp-access.ts'
import { isTickedByHand, OIDC_SCOPES } from '../../access/scopes.ts'
import { isAtOrBelow } from '../../base/doors.ts'
import { cookieValues, ownCookieNames } from '../../base/http/fields.ts'
import { isConsumer, type ProtectedResources } from '../../base/http/origins.ts'
import { UNSTORABLE } from '../../base/json/storable.ts'
import { Refusal } from '../../base/refusal.ts'
import { heldPage } from '../pages/awaiting-approval.ts'
import { consentPage } from '../pages/consent.ts'
import { errorPage } from '../pages/error.ts'
import { signInPage } from '../pages/sign-in.ts'
import { CALLBACK_PATH, type SignIn } from '../sign-in/port.ts'
import { type ArrivalTicketParts, createArrivalTickets, SET_UP } from './arrival-tickets.ts'
import type { Asker, Happening } from './audit.ts'
import { CONSOLE_CLIENT_ID, isLocalRedirect, redirectHost } from './clients.ts'
import type { Consents, GrantProfiles, NeededAccounts } from './consents.ts'
import { arriveWith, hostOf } from './hosts.ts'
import {
  type AskedParts,
  askedOf,
  finish,
  INTERACTION,
  type Interaction,
  interactionOf,
  readText,
  redirect,
  show,
  unstorableField,
  type Visit,
} from './visit.ts'

export interface InteractionParts extends SignInStepParts, ConsentStepParts {
  readonly issuer: string
  /** Told of a refusal to someone unknown. */
  readonly refused: (asker: Asker, reason: string) => void
}

export interface Interactions {
  /** Answers `/oauth/interaction/…` and the callbacks of identity providers. */
  answer(visit: Visit): Promise<void>
}

const FOREIGN_FORM = 'the form is of another site or browser'
const DECLINED = { error: 'access_denied', error_description: 'The user did not allow it.' }

/**
 * The pages between a request for authorization and its answer: signing in, then consent. Each belongs to the browser
 * that holds the cookie of the interaction, and each form to its page.
 */
export function createInteractions(parts: InteractionParts): Interactions {
  const signIn = createSignInStep(parts)
  const consent = createConsentStep(parts)

  async function noteForeignForm(visit: Visit, interaction: Interaction): Promise<void> {
    if (interaction.prompt.name === 'consent') return consent.noteDenial(visit, interaction, FOREIGN_FORM)
    parts.refused(visit.asker, `sign-in: ${FOREIGN_FORM}`)
  }

  async function submit(visit: Visit, interaction: Interaction): Promise<void> {
    const form = new URLSearchParams((await readText(visit.request)) ?? '')
    const fault = unstorableField(form)
    if (fault !== null)
      return show(visit, 400, errorPage('invalid_request', `The field ${fault} ${UNSTORABLE}.`))
    if (!isEqual(form.get('csrf') ?? '', parts.sealed.sign(interaction.uid))) {
      await noteForeignForm(visit, interaction)
      return show(visit, 403, errorPage('access_denied', 'This form does not belong to this page.'))
    }
    const { name } = interaction.prompt
    const choice = form.get('do')
    if (name === 'login' && choice === 'password') return signIn.submit(visit, interaction, form)
    if (name === 'consent' && choice === 'allow') return consent.allow(visit, interaction, form)
    if (name === 'consent' && choice === 'leave') return consent.leave(visit, interaction)
    if (name === 'consent') await consent.noteDenial(visit, interaction)
    return finish(visit, interaction, DECLINED)
  }

  return {
    async answer(visit) {
      const url = new URL(visit.request.url ?? '/', parts.issuer)
      if (isAtOrBelow(url.pathname, CALLBACK_PATH)) return signIn.comeBack(visit, url)
      const [uid = '', step = '', slug = null] = url.pathname.slice(INTERACTION.length).split('/')
      const interaction = await interactionOf(visit, uid)
      if (interaction === null) {
        parts.refused(visit.asker, 'sign-in: a page that has expired, or of another browser')
        const text = 'This page has expired, or was opened in another browser.'
        return show(visit, 400, errorPage('session_not_found', text))
      }
      const { method } = visit.request
      if (method === 'POST' && step === '') return submit(visit, interaction)
      if (method !== 'GET')
        return show(visit, 405, errorPage('invalid_request', 'This page does not support that request.'))
      if (interaction.prompt.name !== 'login') return consent.ask(visit, interaction)
      const ticket = url.searchParams.get('arrival')
      if (ticket !== null) return signIn.arrive(visit, interaction, ticket)
      if (step === '' && (await signIn.arriveFromSetUp(visit, interaction))) return
      return step === 'provider'
        ? signIn.leave(visit, interaction, slug)
        : signIn.ask(visit, interaction, null)
    },
  }
}

function isEqual(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)]
  return one.length === other.length && timingSafeEqual(one, other)
}

// The page on which a person signs in, and the way to an identity provider and back.

interface SignInStepParts extends ArrivalTicketParts, AskedParts {
  readonly accounts: Pick<Accounts, 'find'>
  readonly signIn: SignIn
}

interface SignInStep {
  /** @param fault what went wrong before; null at first */
  ask(visit: Visit, interaction: Interaction, fault: string | null): Promise<void>
  /** By name and password. */
  submit(visit: Visit, interaction: Interaction, form: URLSearchParams): Promise<void>
  /** To an identity provider. @param slug null for the first one */
  leave(visit: Visit, interaction: Interaction, slug: string | null): Promise<void>
  /** From there to the page that the browser left: only there is its cookie. */
  comeBack(visit: Visit, url: URL): Promise<void>
  /** With the cookie of the set-up page, for the console. False if there is none that counts. */
  arriveFromSetUp(visit: Visit, interaction: Interaction): Promise<boolean>
  /** At the page that it left, with the ticket of {@link comeBack}. */
  arrive(visit: Visit, interaction: Interaction, ticket: string): Promise<void>
}

/** The page on which a person says who they are, and the way to an identity provider and back. */
function createSignInStep(parts: SignInStepParts): SignInStep {
  const { accounts, signIn } = parts
  const tickets = createArrivalTickets(parts)

  async function ask(visit: Visit, interaction: Interaction, fault: string | null): Promise<void> {
    const { client, form } = await askedOf(visit, interaction, parts)
    const { withPassword, providers } = signIn
    const page = signInPage({ ...form, client: client.name ?? client.id, withPassword, providers, fault })
    show(visit, fault === null ? 200 : 401, page)
  }

  return {
    ask,

    async submit(visit, interaction, form) {
      if (!signIn.withPassword) return ask(visit, interaction, 'Password sign-in is off.')
      let account: Account
      try {
        account = await signIn.password(form.get('name') ?? '', form.get('password') ?? '', visit.asker)
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        const isThrottled = error.code === 'auth_throttled'
        const fault = isThrottled
          ? 'Too many attempts. Wait a minute, then try again.'
          : 'Name or password is wrong.'
        return ask(visit, interaction, fault)
      }
      return signedIn(visit, interaction, account)
    },

    async leave(visit, interaction, slug) {
      const to = await orNotIn(visit, () => signIn.begin(interaction.uid, slug, visit.asker))
      if (to !== null) redirect(visit, to.href)
    },

    async comeBack(visit, url) {
      const done = await orNotIn(visit, () => signIn.finish(url, visit.asker))
      if (done === null) return
      const ticket = await tickets.issue(done.interaction, done.account.id)
      const page = INTERACTION + encodeURIComponent(done.interaction)
      redirect(visit, `${page}?arrival=${encodeURIComponent(ticket)}`)
    },

    async arriveFromSetUp(visit, interaction) {
      const names = [ownCookieNames(true).arrival, ownCookieNames(false).arrival]
      const { cookie = '' } = visit.request.headers
      if (interaction.params['client_id'] !== CONSOLE_CLIENT_ID) return false
      for (const ticket of names.flatMap((name) => cookieValues(cookie, name))) {
        const id = await tickets.redeem(ticket, SET_UP)
        const account = id === null ? undefined : await accounts.find(id)
        if (account?.active !== true) continue
        await signedIn(visit, interaction, account)
        return true
      }
      return false
    },

    async arrive(visit, interaction, ticket) {
      const id = await tickets.redeem(ticket, interaction.uid)
      const account = id === null ? undefined : await accounts.find(id)
      if (account?.active !== true) return ask(visit, interaction, 'Sign in again.')
      return signedIn(visit, interaction, account)
    },
  }
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

/** What comes of work with the identity provider; null when it was refused, which the page then says. */
async function orNotIn<T>(visit: Visit, work: () => Promise<T>): Promise<T | null> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const { code, message, status, facts } = error
    const isTemporary = facts.members?.['retry_after_ms'] !== undefined
    const { requestId } = visit.asker
    if (code === 'not_found') show(visit, status, errorPage('invalid_request', message, requestId))
    else if (code === 'identity_unavailable')
      show(
        visit,
        status,
        errorPage(isTemporary ? 'temporarily_unavailable' : 'server_error', message, requestId),
      )
    else show(visit, 401, errorPage('access_denied', 'The identity provider denied the sign-in.', requestId))
    return null
  }
}

// The page on which a signed-in person allows a client to act for them. The decision is audited.

interface ConsentStepParts extends AskedParts {
  readonly accounts: Pick<Accounts, 'find'>
  readonly consents: Pick<Consents, 'remember' | 'declined'>
  readonly audit: (happening: Happening) => Promise<void>
  readonly resources: ProtectedResources
  readonly mcp: McpAccess
  readonly profiles: GrantProfiles
  readonly needed: NeededAccounts
}

interface ConsentStep {
  ask(visit: Visit, interaction: Interaction): Promise<void>
  /** @param form what the person has ticked and picked */
  allow(visit: Visit, interaction: Interaction, form: URLSearchParams): Promise<void>
  /** Back to the client while its host waits for an administrator. */
  leave(visit: Visit, interaction: Interaction): Promise<void>
  noteDenial(visit: Visit, interaction: Interaction, fault?: string): Promise<void>
}

/** The page on which a person who has signed in allows a client to act for them; what they say is audited. */
function createConsentStep({
  sealed,
  documents,
  accounts,
  consents,
  audit,
  resources,
  mcp,
  profiles,
  needed,
}: ConsentStepParts): ConsentStep {
  async function note(
    { asker }: Visit,
    { session, params }: Interaction,
    said: Pick<Happening, 'facts' | 'denied'>,
  ): Promise<void> {
    const account = await accounts.find(session?.accountId ?? '')
    await audit({
      operation: 'consent',
      actor: { id: account?.id ?? '', type: 'user', name: account?.slug ?? '' },
      client: String(params['client_id']),
      asker,
      ...said,
    })
  }

  /** What the MCP endpoint of a request has for its person; null for a request about management. */
  async function offerOf(
    interaction: Interaction,
  ): Promise<{ readonly resource: string; readonly offer: McpOffer } | 'nothing' | null> {
    const named = resourcesOf(interaction).flatMap((one) => {
      const found = resources.find(one)
      return found !== null && isConsumer(found) ? [found] : []
    })
    const [resource] = named
    if (resource === undefined) return null
    const offer = named.length > 1 ? null : await mcp.offer(interaction.session?.accountId ?? '', resource)
    return offer === null ? 'nothing' : { resource: resources.nameOf(resource), offer }
  }

  async function refuseNothing(visit: Visit, interaction: Interaction): Promise<void> {
    await note(visit, interaction, { denied: 'access_denied' })
    return finish(visit, interaction, NOTHING_SHARED)
  }

  async function ask(visit: Visit, interaction: Interaction, fault: string | null): Promise<void> {
    const { session } = interaction
    const { client, redirectUri, form } = await askedOf(visit, interaction, { sealed, documents })
    const account = await accounts.find(session?.accountId ?? '')
    const found = await offerOf(interaction)
    if (found === 'nothing') return refuseNothing(visit, interaction)
    const arrival = found === null ? 'known' : await arrivalOf(visit, interaction)
    if (arrival === 'held') return showHeld(visit, interaction)
    const declined = await consents.declined(account?.id ?? '', client.id)
    const offer = found?.offer ?? null
    const servers = offer === null ? [] : await needed.of(account?.id ?? '', offer)
    const page = consentPage({
      ...form,
      account: account?.name ?? '',
      client,
      redirectHost: redirectUri === null ? null : redirectHost(redirectUri),
      isLocal: redirectUri !== null && isLocalRedirect(redirectUri),
      resources: resourcesOf(interaction),
      scopes: scopesOf(interaction).map((name) => ({
        name,
        isTicked: !isTickedByHand(name) && !declined.has(name),
      })),
      offer,
      servers,
      isHeld: arrival === 'new',
      fault,
    })
    show(visit, fault === null ? 200 : 400, page)
  }

  async function isMissing({ session }: Interaction, offer: McpOffer): Promise<boolean> {
    return (await needed.of(session?.accountId ?? '', offer)).some((one) => one.isMissing)
  }

  /** `held`: its host waits for an administrator; `new`: it would wait after the consent. */
  async function arrivalOf(visit: Visit, { params }: Interaction): Promise<'known' | 'new' | 'held'> {
    const client = await visit.provider.Client.find(String(params['client_id']))
    const host = client && (await hostOf(client, mcp))
    if (host !== undefined) return host.isHeld ? 'held' : 'known'
    return (await mcp.holdsNew()) ? 'new' : 'known'
  }

  async function showHeld(visit: Visit, interaction: Interaction): Promise<void> {
    const { client, form } = await askedOf(visit, interaction, { sealed, documents })
    show(visit, 403, heldPage({ ...form, client }))
  }

  /** False where the host is switched off, and the client or the person was told. */
  async function mayArrive(visit: Visit, interaction: Interaction): Promise<boolean> {
    const client = await visit.provider.Client.find(String(interaction.params['client_id']))
    if (client === undefined) return true
    const host = await arriveWith(client, mcp)
    if (host.active) return true
    await note(visit, interaction, { facts: { host: host.id }, denied: 'access_denied' })
    await (host.isHeld ? showHeld(visit, interaction) : finish(visit, interaction, HOST_INACTIVE))
    return false
  }

  return {
    ask: (visit, interaction) => ask(visit, interaction, null),

    async allow(visit, interaction, form) {
      const scopes = form.getAll('scope')
      const found = await offerOf(interaction)
      if (found === 'nothing') return refuseNothing(visit, interaction)
      const asked = scopesOf(interaction)
      const allowed = asked.filter((scope) => scopes.includes(scope))
      if (allowed.length === 0) return ask(visit, interaction, 'Select at least one permission, or deny.')
      const chosen = found === null ? '' : chosenIn(found.offer, form)
      if (chosen === undefined) return ask(visit, interaction, 'Select a profile for the client.')
      if (found !== null && (await isMissing(interaction, found.offer)))
        return ask(visit, interaction, 'Connect the required accounts first.')
      if (found !== null && !(await mayArrive(visit, interaction))) return
      const declined = asked.filter((scope) => !scopes.includes(scope))
      const grant = await agree(visit, interaction, allowed, declined)
      if (found?.offer.kind === 'profiles')
        await profiles.keep(grant.jti, interaction.session?.accountId ?? '', chosen)
      await consents.remember(grant, found === null ? {} : { [found.resource]: chosen })
      await note(visit, interaction, {
        facts: {
          resource: resourcesOf(interaction).join(' '),
          scope: allowed.join(' '),
          ...(declined.length === 0 ? {} : { declined: declined.join(' ') }),
        },
      })
      return finish(visit, interaction, { consent: { grantId: grant.jti } })
    },

    leave: (visit, interaction) => finish(visit, interaction, HOST_HELD),

    noteDenial: (visit, interaction, fault) =>
      note(visit, interaction, {
        denied: 'access_denied',
        ...(fault === undefined ? {} : { facts: { fault } }),
      }),
  }
}

const NOTHING_SHARED = {
  error: 'access_denied',
  error_description:
    'There is no MCP endpoint at this address that you may use. Ask an administrator to share it with you.',
}
const HOST_INACTIVE = {
  error: 'access_denied',
  error_description: 'This application is inactive. An administrator can activate it.',
}
const HOST_HELD = {
  error: 'access_denied',
  error_description: 'This application is new here. An administrator must activate it first.',
}

/** Id of the virtual MCP, or of the profile; undefined where none was picked. */
function chosenIn(offer: McpOffer, form: URLSearchParams): string | undefined {
  if (offer.kind === 'virtual_mcp') return offer.id
  const { profiles } = offer
  if (profiles.length === 1) return profiles[0]!.id
  return profiles.find(({ id }) => id === form.get('profile'))?.id
}

function scopesOf({ params }: Interaction): string[] {
  return [...new Set(String(params['scope'] ?? '').split(' '))].filter((scope) => scope !== '')
}

function resourcesOf({ params }: Interaction): string[] {
  return [params['resource']].flat().filter((one) => typeof one === 'string')
}

const isOpenId = (scope: string): boolean => OIDC_SCOPES.some((one) => one === scope)

/**
 * Makes a new grant of the ticked scopes. Unticked scopes are stored as rejected, so that the engine does not ask again. An
 * earlier grant is not used: the person has just decided anew.
 */
async function agree(
  { provider }: Visit,
  interaction: Interaction,
  allowed: readonly string[],
  declined: readonly string[],
) {
  const { params, session, prompt } = interaction
  const grant = new provider.Grant({
    accountId: session?.accountId ?? '',
    clientId: String(params['client_id']),
  })
  // What the engine's own prompt for consent has in its details, which have no type.
  const { missingResourceScopes: missing } = prompt.details as {
    missingResourceScopes?: Record<string, string[]>
  }
  const resources = new Set([...Object.keys(missing ?? {}), ...resourcesOf(interaction)])
  const [openid, others] = [allowed.filter(isOpenId), allowed.filter((scope) => !isOpenId(scope))]
  const [noOpenid, noOthers] = [declined.filter(isOpenId), declined.filter((scope) => !isOpenId(scope))]
  if (openid.length > 0) grant.addOIDCScope(openid)
  if (noOpenid.length > 0) grant.rejectOIDCScope(noOpenid)
  for (const resource of resources) {
    if (others.length > 0) grant.addResourceScope(resource, others)
    if (noOthers.length > 0) grant.rejectResourceScope(resource, noOthers)
  }
  await grant.save()
  return grant
}
