/** The page on which a person signs in, and the way to an identity provider and back. */
import type { Account, Accounts } from '../../access/accounts.ts'
import { cookieValues, ownCookieNames } from '../../base/http/fields.ts'
import { Refusal } from '../../base/refusal.ts'
import { errorPage } from '../pages/error.ts'
import { signInPage } from '../pages/sign-in.ts'
import type { SignIn } from '../sign-in/port.ts'
import { type ArrivalTicketParts, createArrivalTickets, SET_UP } from './arrival-tickets.ts'
import { CONSOLE_CLIENT_ID } from './clients.ts'
import {
  type AskedParts,
  askedOf,
  finish,
  INTERACTION,
  type Interaction,
  redirect,
  show,
  type Visit,
} from './visit.ts'

export interface SignInStepParts extends ArrivalTicketParts, AskedParts {
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
export function createSignInStep(parts: SignInStepParts): SignInStep {
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
      if (!signIn.withPassword) return ask(visit, interaction, 'Passwords are not taken here.')
      let account: Account
      try {
        account = await signIn.password(form.get('name') ?? '', form.get('password') ?? '', visit.asker)
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        const isThrottled = error.code === 'auth_throttled'
        const fault = isThrottled ? 'Too many attempts. Wait a little.' : 'Name or password is wrong.'
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
      if (account?.active !== true) return ask(visit, interaction, 'Sign in once more.')
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
    else show(visit, 401, errorPage('access_denied', 'The identity provider did not let you in.', requestId))
    return null
  }
}
