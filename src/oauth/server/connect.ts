/**
 * The pages at `/connect`: people see their accounts at origins, connect and disconnect them, and revoke applications. A page
 * acts for the person who is signed in at the browser, even if the link was made for another person.
 */
import { timingSafeEqual } from 'node:crypto'
import type { ConnectedOrigin, OriginAccess } from '../../access/mcp-access.ts'
import { isAtOrBelow } from '../../base/doors.ts'
import { UNSTORABLE } from '../../base/json/storable.ts'
import { Refusal } from '../../base/refusal.ts'
import { maskText } from '../../base/text/mask.ts'
import { SHARED } from '../../model/access/caller.ts'
import type { ConnectOffer, Federation } from '../federation/port.ts'
import {
  agreePage,
  connectListPage,
  connectOriginPage,
  leavePage,
  type OriginRow,
  otherPersonPage,
} from '../pages/connect.ts'
import { errorPage } from '../pages/error.ts'
import type { Asker, Happening } from './audit.ts'
import { SIGNED_IN_PATH } from './clients.ts'
import type { Applications, ConnectLinks } from './connect-links.ts'
import {
  type BrowserSession,
  type BrowserSessions,
  CONNECT,
  INTERACTION,
  readText,
  redirect,
  show,
  unstorableField,
  type Visit,
} from './visit.ts'

export interface ConnectParts {
  readonly issuer: string
  readonly sessions: BrowserSessions
  readonly links: ConnectLinks
  readonly applications: Applications
  readonly originAccess: OriginAccess
  readonly federation: Federation
  readonly audit: (happening: Happening) => Promise<void>
  /** Told of a refusal to someone unknown. */
  readonly refused: (asker: Asker, reason: string) => void
}

const SWITCH_PATH = `${CONNECT}/-/switch`
const CALLBACK_PATH = `${CONNECT}/callback`

/** The account of one person, or of all callers, at an origin. */
interface Place {
  readonly origin: ConnectedOrigin
  /** Empty for the account that all callers share. */
  readonly user: string
}

/** Why requests are refused, for the audit trail. */
const FOREIGN_FORM = { fault: 'the form is of another site or session' }
const FOREIGN_LINK = { fault: 'the link is for another person' }

/** Notices at the top of a page. */
interface Said {
  readonly fault?: string
  readonly done?: string
}

export interface ConnectPages {
  /** Answers `/connect` and everything below it. */
  answer(visit: Visit): Promise<void>
}

export function createConnectPages(parts: ConnectParts): ConnectPages {
  const { issuer, sessions, links, applications, originAccess: origins, federation, audit } = parts

  async function placesOf({ account }: BrowserSession): Promise<readonly Place[]> {
    const [own, shared] = await Promise.all([origins.offered(account.id), origins.shared(account.id)])
    return [
      ...own.map((origin) => ({ origin, user: account.id })),
      ...shared.map((origin) => ({ origin, user: SHARED })),
    ]
  }

  const rowOf = async ({ origin, user }: Place): Promise<OriginRow> => ({
    origin,
    connection: await federation.shown(user, origin.id),
  })

  async function showList(visit: Visit, session: BrowserSession, { fault, done }: Said): Promise<void> {
    const places = await placesOf(session)
    const rows = (isShared: boolean): Promise<OriginRow[]> =>
      Promise.all(places.filter(({ user }) => (user === SHARED) === isShared).map(rowOf))
    const approved = await applications.of(visit.provider, session.account.id)
    const page = connectListPage({
      csrf: session.csrf,
      account: session.account.name,
      fault: fault ?? null,
      done: done ?? null,
      own: await rows(false),
      shared: await rows(true),
      applications: approved.map(({ client, resources, since }) => ({
        id: client.id,
        name: client.name ?? client.id,
        resources,
        since: new Date(since).toISOString().slice(0, 10),
      })),
    })
    show(visit, fault === undefined ? 200 : 400, page)
  }

  async function showPlace(
    visit: Visit,
    { csrf, account }: BrowserSession,
    place: Place,
    back: string | null,
    { fault, done }: Said,
  ): Promise<void> {
    const row = await rowOf(place)
    const page = connectOriginPage({
      csrf,
      account: account.name,
      fault: fault ?? null,
      done: done ?? null,
      row,
      back,
    })
    show(visit, fault === undefined ? 200 : 400, page)
  }

  const note = (
    { asker }: Visit,
    { account }: BrowserSession,
    happening: Pick<Happening, 'operation' | 'facts' | 'denied' | 'about'>,
  ): Promise<void> =>
    audit({ actor: { id: account.id, type: 'user', name: account.slug }, client: '', asker, ...happening })

  const aboutOrigin = ({ id, slug }: ConnectedOrigin): NonNullable<Happening['about']> => ({
    type: 'origin',
    id,
    slug,
  })

  /** Does the work and audits it. A refusal is shown on the page. `work` gives the notice, or null if it has answered itself. */
  async function attempt(
    visit: Visit,
    session: BrowserSession,
    place: Place,
    back: string | null,
    operation: Happening['operation'],
    work: () => Promise<string | null>,
  ): Promise<void> {
    let done: string | null
    try {
      done = await work()
    } catch (error) {
      if (!isOfPerson(error)) throw error
      const facts = { fault: maskText(error.message) }
      await note(visit, session, { operation, about: aboutOrigin(place.origin), facts, denied: error.code })
      return showPlace(visit, session, place, back, { fault: error.message })
    }
    if (done === null) return
    await note(visit, session, {
      operation,
      about: aboutOrigin(place.origin),
      facts: { account: place.user === SHARED ? 'shared' : 'own' },
    })
    return showPlace(visit, session, place, back, { done })
  }

  async function submitPlace(
    visit: Visit,
    session: BrowserSession,
    place: Place,
    form: URLSearchParams,
  ): Promise<void> {
    const { origin, user } = place
    const back = backOf(form.get('back'))
    const page = `${CONNECT}/${origin.slug}${back === null ? '' : `?back=${encodeURIComponent(back)}`}`
    const agreeTo = (offer: ConnectOffer, isChanged: boolean): null => {
      const { csrf, account } = session
      const isShared = user === SHARED
      show(visit, 200, agreePage({ csrf, account: account.name, origin, offer, isShared, isChanged, back }))
      return null
    }
    const leave = async (agreed: string): Promise<null> => {
      const to = await federation.begin(user, origin, session.account.id, page, agreed)
      if (!(to instanceof URL)) return agreeTo(to, true)
      show(visit, 200, leavePage(origin.name, to))
      return null
    }
    switch (form.get('do')) {
      case 'connect':
        return attempt(visit, session, place, back, 'connect', async () => {
          const offer = await federation.offer(user, origin)
          return offer === null ? leave('') : agreeTo(offer, false)
        })
      case 'agree':
        return attempt(visit, session, place, back, 'connect', () => leave(form.get('agreed') ?? ''))
      case 'key':
        return attempt(visit, session, place, back, 'connect', async () => {
          await federation.keepKey(user, origin, form.get('key') ?? '')
          return `${origin.name} is connected.`
        })
      case 'disconnect':
        return attempt(visit, session, place, back, 'disconnect', async () => {
          await federation.disconnect(user, origin)
          return `${origin.name} is disconnected.`
        })
      default:
        return showPlace(visit, session, place, back, {
          fault: 'This page does not support this request. Open the page again.',
        })
    }
  }

  /** The browser comes back from the authorization server of an origin. */
  async function finish(visit: Visit, session: BrowserSession, url: URL): Promise<void> {
    let came: Awaited<ReturnType<Federation['finish']>>
    try {
      came = await federation.finish(url, session.account.id)
    } catch (error) {
      if (!isOfPerson(error)) throw error
      await note(visit, session, {
        operation: 'connect',
        facts: { fault: maskText(error.message) },
        denied: error.code,
      })
      return showList(visit, session, { fault: error.message })
    }
    const origin = await origins.byId(came.origin)
    await note(visit, session, {
      operation: 'connect',
      ...(origin === null ? {} : { about: aboutOrigin(origin) }),
    })
    return redirect(visit, issuer + came.returnTo)
  }

  async function revoke(visit: Visit, session: BrowserSession, client: string): Promise<void> {
    const ended = await applications.revoke(session.account.id, client)
    if (ended.length === 0) return showList(visit, session, { fault: 'There is no such application.' })
    await audit({
      operation: 'revoke',
      actor: { id: session.account.id, type: 'user', name: session.account.slug },
      client,
      asker: visit.asker,
      facts: { grants: ended.join(' ') },
    })
    return showList(visit, session, { done: 'The application can no longer act for you.' })
  }

  async function submit(visit: Visit, session: BrowserSession, slug: string): Promise<void> {
    const form = new URLSearchParams((await readText(visit.request)) ?? '')
    const fault = unstorableField(form)
    if (fault !== null)
      return show(visit, 400, errorPage('invalid_request', `The field ${fault} ${UNSTORABLE}.`))
    const known = (await placesOf(session)).find(({ origin }) => origin.slug === slug)
    if (!isSame(form.get('csrf') ?? '', session.csrf)) {
      const about = known === undefined ? {} : { about: aboutOrigin(known.origin) }
      await note(visit, session, {
        operation: 'connect',
        ...about,
        facts: FOREIGN_FORM,
        denied: 'access_denied',
      })
      const text = 'The form is from another session. Open the page again.'
      return show(visit, 403, errorPage('access_denied', text))
    }
    if (slug === '' && form.get('do') === 'revoke') return revoke(visit, session, form.get('client') ?? '')
    return known === undefined ? missing(visit) : submitPlace(visit, session, known, form)
  }

  async function open(visit: Visit, session: BrowserSession, slug: string, url: URL): Promise<void> {
    if (slug === '') return showList(visit, session, {})
    const { account } = session
    const mark = url.searchParams.get('for')
    const verdict = mark === null ? 'right' : links.judge(mark, slug, account.id)
    const place = (await placesOf(session)).find(({ origin }) => origin.slug === slug)
    if (verdict === 'of_another') {
      const about = place === undefined ? {} : { about: aboutOrigin(place.origin) }
      await note(visit, session, {
        operation: 'connect',
        ...about,
        facts: FOREIGN_LINK,
        denied: 'access_denied',
      })
      const again = `${SWITCH_PATH}?to=${encodeURIComponent(url.pathname + url.search)}`
      return show(visit, 403, otherPersonPage(account.name, again))
    }
    if (place === undefined) return missing(visit)
    const back = backOf(url.searchParams.get('back'))
    const said =
      verdict === 'expired' ? { fault: 'The link has expired. You can still connect on this page.' } : {}
    return showPlace(visit, session, place, back, said)
  }

  return {
    async answer(visit) {
      const { request } = visit
      const url = new URL(request.url ?? '/', issuer)
      const { pathname } = url
      if (request.method !== 'GET' && request.method !== 'POST')
        return show(
          visit,
          405,
          errorPage('invalid_request', 'This page does not support this request. Open the page again.'),
        )
      if (pathname === SIGNED_IN_PATH) return sessions.comeBack(visit, url.searchParams.get('state') ?? '')
      if (pathname === SWITCH_PATH)
        return sessions.signIn(visit, pageOf(url.searchParams.get('to')) ?? CONNECT, true)
      const session = await sessions.of(visit)
      if (session === null) {
        if (request.method === 'GET') return sessions.signIn(visit, pathname + url.search)
        parts.refused(visit.asker, 'connect: a form without a session')
        return show(visit, 403, errorPage('access_denied', 'You are signed out. Open the page again.'))
      }
      if (isAtOrBelow(pathname, CALLBACK_PATH) && url.searchParams.has('state'))
        return finish(visit, session, url)
      const slug = slugIn(pathname)
      if (slug === null) return missing(visit)
      return request.method === 'POST' ? submit(visit, session, slug) : open(visit, session, slug, url)
    },
  }
}

/** What a person can read and do something about; anything else is a fault of Postern. */
function isOfPerson(error: unknown): error is Refusal {
  return error instanceof Refusal && (error.status < 500 || error.code === 'overloaded')
}

/** The slug in `/connect/{slug}`; empty in `/connect`; null in any other path. */
function slugIn(path: string): string | null {
  return /^\/connect(?:\/([a-z0-9-]*))?$/.exec(path)?.[1] ?? (path === CONNECT ? '' : null)
}

/** A page below `/connect` that a link names; null for any other. */
function pageOf(given: string | null): string | null {
  return given !== null && /^\/connect(?:\/[a-z0-9-]+)?(?:\?[!-~]*)?$/.test(given) ? given : null
}

/** The page of an authorization that a link names; null for any other. */
function backOf(given: string | null): string | null {
  return given?.startsWith(INTERACTION) === true && /^[\w-]+$/.test(given.slice(INTERACTION.length))
    ? given
    : null
}

function missing(visit: Visit): void {
  const text = 'No MCP server that is shared with you has this address.'
  show(visit, 404, errorPage('invalid_request', text))
}

function isSame(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)]
  return one.length === other.length && timingSafeEqual(one, other)
}
