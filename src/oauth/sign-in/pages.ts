/** The pages on which local users choose a password: with a set-up link, or with their current password. */
import type { Accounts } from '../../access/accounts.ts'
import type { Sender } from '../../access/sender.ts'
import type { SetUpLinks } from '../../access/set-up-links.ts'
import { DOORS } from '../../base/doors.ts'
import { ownCookieNames } from '../../base/http/fields.ts'
import { faultPage, html, page, pageHeaders, pageText } from '../../base/http/page.ts'
import { Refusal } from '../../base/refusal.ts'
import type { StoredSetUpLink } from '../../store/ports/config.ts'
import { readForm } from '../form.ts'
import { faultOfPassword, type NoteUnknown, type Passwords, type Proved } from './local.ts'

export const SET_UP_PATH = DOORS.setUpPage.path
export const PASSWORD_PATH = DOORS.passwordPage.path

/** What becomes of local users here. Each is one transaction, and audited. */
interface LocalUsers {
  /** Refuses with not_found when the link was used meanwhile, with input_invalid or already_exists for the person. */
  setUp(
    link: StoredSetUpLink,
    person: { readonly name: string; readonly email: string },
    hash: string,
    sender: Sender,
  ): Promise<void>
  /**
   * Refuses with not_found when the link was used, or the password changed, meanwhile.
   * @param proof the link, or what was kept of the password before.
   */
  setPassword(
    user: { readonly id: string; readonly slug: string },
    proof: StoredSetUpLink | string,
    hash: string,
    sender: Sender,
  ): Promise<void>
}

/** How a person who came by a link goes on to the console, signed in. */
interface OnToConsole {
  /** Where the console signs people in; null while there is no console. */
  readonly loginUrl: () => Promise<string | null>
  /** A ticket with which the next sign-in of this browser needs no password. */
  readonly ticket: (account: string) => Promise<string>
}

export interface SignInPagesParts {
  readonly onToConsole: OnToConsole
  /** Where these pages are. */
  readonly origin: string
  readonly managementOrigin: string
  readonly links: SetUpLinks
  readonly users: LocalUsers
  readonly accounts: Pick<Accounts, 'find' | 'findLocal'>
  readonly passwords: Passwords
  /** Proves a local user. Refuses with credential_invalid or auth_throttled. */
  readonly prove: (name: string, password: string, sender: Sender) => Promise<Proved>
  readonly noteUnknown: NoteUnknown
  readonly facts: (request: Request) => Sender & { readonly requestId: string }
  readonly fault: (error: unknown, requestId: string) => void
}

type Form = ReadonlyMap<string, string>

/** What cannot be taken of a form, as a sentence that is shown above it. */
class FormFault extends Error {}

/** The pages on which local users choose a password: by a set-up link, or by the one they have. */
export function createSignInPages(parts: SignInPagesParts): (request: Request) => Promise<Response> {
  const { links, users, accounts, passwords, prove } = parts

  return async (request) => {
    const { requestId, ...sender } = parts.facts(request)
    try {
      const url = new URL(request.url)
      const form = request.method === 'POST' ? await readForm(request, parts.origin) : null
      if (form === null && request.method !== 'GET' && request.method !== 'HEAD') return notAllowed()
      if (url.pathname === PASSWORD_PATH) return await changePassword(form, sender)
      return await setUp(form?.get('token') ?? url.searchParams.get('token') ?? '', form, sender)
    } catch (error) {
      return toPage(error, requestId)
    }
  }

  async function setUp(token: string, form: Form | null, sender: Sender): Promise<Response> {
    const link = await links.find(token)
    if (link === undefined) {
      parts.noteUnknown({ surface: 'oauth', ...sender, reason: 'a set-up link that opens nothing' })
      return deadLink()
    }
    const user = link.user === null ? null : ((await accounts.find(link.user)) ?? null)
    const shown = (fault: string | null): Response =>
      user === null ? setUpPage(token, form, fault) : choosePage(token, user.slug, fault)
    if (form === null) return shown(null)
    return answered(shown, async () => {
      if (user === null) {
        const person = { name: form.get('name')?.trim() ?? '', email: form.get('email')?.trim() ?? '' }
        const password = chosen(form, [person.name, person.email])
        await users.setUp(link, person, await passwords.hash(password), sender)
      } else {
        const password = chosen(form, [user.slug, user.name, user.email ?? ''])
        await users.setPassword(user, link, await passwords.hash(password), sender)
      }
      const account = user ?? (await accounts.findLocal(form.get('email')?.trim() ?? ''))
      return openConsole(account, user === null ? 'The administrator is set up.' : 'Your password is set.')
    })
  }

  /** Who came by a link need not sign in with what was typed a moment ago. @param done what the link did, as a sentence */
  async function openConsole(account: { readonly id: string } | undefined, done: string): Promise<Response> {
    const { loginUrl, ticket } = parts.onToConsole
    const url = await loginUrl()
    if (url === null || account === undefined) return donePage(parts.managementOrigin, url)
    const response = new Response(
      pageText({
        title: 'Done',
        content: html`<p>${done} <a href="${url}">Open the console</a>.</p>`,
        refresh: url,
      }),
      { headers: pageHeaders({}) },
    )
    const isSecure = parts.origin.startsWith('https:')
    response.headers.append(
      'set-cookie',
      `${ownCookieNames(isSecure).arrival}=${await ticket(account.id)}; Path=/; Max-Age=60; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`,
    )
    return response
  }

  async function changePassword(form: Form | null, sender: Sender): Promise<Response> {
    const name = form?.get('name') ?? ''
    const shown = (fault: string | null): Response => changePage(name, fault)
    if (form === null) return shown(null)
    return answered(shown, async () => {
      const { account, hash } = await prove(name, form.get('password') ?? '', sender)
      const password = chosen(form, [account.slug, account.name, account.email ?? ''])
      await users.setPassword(account, hash, await passwords.hash(password), sender)
      return done()
    })
  }

  async function done(): Promise<Response> {
    return donePage(parts.managementOrigin, await parts.onToConsole.loginUrl())
  }

  function toPage(error: unknown, requestId: string): Response {
    if (error instanceof Refusal && error.status < 500)
      return faultPage(error.status, 'The request failed', error.message)
    parts.fault(error, requestId)
    return faultPage(
      500,
      'Something went wrong',
      `The log of the server has the cause, under the request id ${requestId}.`,
    )
  }
}

/** What the person can mend is said above the form, which is shown again. */
async function answered(
  shown: (fault: string) => Response,
  work: () => Promise<Response>,
): Promise<Response> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof FormFault) return shown(error.message)
    if (!(error instanceof Refusal)) throw error
    switch (error.code) {
      case 'not_found':
        return deadLink()
      case 'credential_invalid':
      case 'already_exists':
        return shown(error.message)
      case 'input_invalid':
        return shown(`Check the name and the email: ${error.message}`)
      case 'auth_throttled': {
        const response = faultPage(error.status, 'Please wait', error.message)
        const seconds = Math.ceil(Number(error.facts.members?.['retry_after_ms'] ?? 1000) / 1000)
        response.headers.set('retry-after', String(seconds))
        return response
      }
      default:
        throw error
    }
  }
}

/** The new password of a form. Throws a FormFault for one that cannot be taken. */
function chosen(form: Form, names: readonly string[]): string {
  const password = form.get('new-password') ?? ''
  const fault = faultOfPassword(password, names)
  if (fault !== null) throw new FormFault(fault)
  if (form.get('repeat') !== password) throw new FormFault('The two new passwords differ.')
  return password
}

function notAllowed(): Response {
  const response = faultPage(405, 'The request failed', 'This page supports GET and POST.')
  response.headers.set('allow', 'GET, HEAD, POST')
  return response
}

function deadLink(): Response {
  return faultPage(
    404,
    'This link does not work',
    'The link was already used, has expired, or was replaced by a newer link. Ask for a new one. On the machine that runs Postern, postern admin reset prints a link.',
  )
}

/** There is no page to sign in at by itself: what somebody wants to use leads them there. @param consoleUrl null: no listener serves it */
function donePage(origin: string, consoleUrl: string | null): Response {
  return page(
    200,
    'Done',
    html`<p>Your password is set. ${consoleUrl === null ? null : html`<a href="${consoleUrl}">Open the console</a>.`}</p>
<p>In a terminal, sign in with <code>postern login ${origin}</code>. MCP clients sign in at <code>${origin}/management/mcp</code>.</p>`,
  )
}

const faultOf = (fault: string | null) =>
  fault === null ? null : html`<p class="fault" role="alert">${fault}</p>`

const newPassword = html`<label>New password, 12 characters or more
<input name="new-password" type="password" autocomplete="new-password" required minlength="12" maxlength="256"></label>
<label>Repeat password
<input name="repeat" type="password" autocomplete="new-password" required></label>`

const statusOf = (fault: string | null): number => (fault === null ? 200 : 400)

function setUpPage(token: string, form: Form | null, fault: string | null): Response {
  return page(
    statusOf(fault),
    'Set up the administrator',
    html`${faultOf(fault)}<form method="post" action="${SET_UP_PATH}">
<input type="hidden" name="token" value="${token}">
<label>Name <input name="name" autocomplete="name" required maxlength="120" value="${form?.get('name') ?? ''}"></label>
<label>Email <input name="email" type="email" autocomplete="username" required maxlength="254" value="${form?.get('email') ?? ''}"></label>
${newPassword}
<button>Set up</button></form>`,
  )
}

function choosePage(token: string, slug: string, fault: string | null): Response {
  return page(
    statusOf(fault),
    'Choose a password',
    html`${faultOf(fault)}<form method="post" action="${SET_UP_PATH}">
<input type="hidden" name="token" value="${token}">
<label>Name <input autocomplete="username" readonly value="${slug}"></label>
${newPassword}
<button>Set the password</button></form>`,
  )
}

function changePage(name: string, fault: string | null): Response {
  return page(
    statusOf(fault),
    'Change your password',
    html`${faultOf(fault)}<form method="post" action="${PASSWORD_PATH}">
<label>Name or email <input name="name" autocomplete="username" required maxlength="254" value="${name}"></label>
<label>Current password <input name="password" type="password" autocomplete="current-password" required maxlength="1024"></label>
${newPassword}
<button>Change the password</button></form>`,
  )
}
