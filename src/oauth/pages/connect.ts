import type { ConnectedOrigin } from '../../access/mcp-access.ts'
import { type Html, html, type Page } from '../../base/http/page.ts'
import { isExchanging } from '../../model/mcp/origin.ts'
import type { ConnectOffer, ShownConnection } from '../federation/port.ts'

/** An origin with the account of the person there. */
export interface OriginRow {
  readonly origin: Pick<ConnectedOrigin, 'slug' | 'name' | 'mode' | 'active'>
  readonly connection: ShownConnection
}

/** An application that the person has approved. */
interface ApplicationRow {
  readonly id: string
  readonly name: string
  readonly resources: readonly string[]
  /** A date, such as 2026-11-23. */
  readonly since: string
}

interface Shown {
  readonly csrf: string
  /** Name of the person who is signed in. */
  readonly account: string
  /** What went wrong, or has just been done; null for neither. */
  readonly fault: string | null
  readonly done: string | null
}

export interface ConnectListView extends Shown {
  readonly own: readonly OriginRow[]
  /** Those with the account that all callers share. */
  readonly shared: readonly OriginRow[]
  readonly applications: readonly ApplicationRow[]
}

export interface ConnectOriginView extends Shown {
  readonly row: OriginRow
  /** Page to which the person goes afterwards; null for the list. */
  readonly back: string | null
}

/** All accounts of a person at origins, and the applications that may act for the person. */
export function connectListPage({
  csrf,
  account,
  fault,
  done,
  own,
  shared,
  applications,
}: ConnectListView): Page {
  return {
    title: 'Connected accounts',
    content: html`${notices(fault, done)}${signedInAs(account)}
<p>Postern sends the tokens of these accounts only to the server of each account. AI applications never get them.</p>
${own.length === 0 ? html`<p>No MCP server that is shared with you needs an account.</p>` : own.map((row) => section(row, csrf, null))}
${shared.length === 0 ? null : html`<h2>Accounts for all callers</h2>${shared.map((row) => section(row, csrf, null))}`}
<h2>Applications that act for you</h2>
${
  applications.length === 0
    ? html`<p>You have approved no application.</p>`
    : applications.map((one) => application(one, csrf))
}`,
  }
}

/** One account, to which a link of a call leads. */
export function connectOriginPage({ csrf, account, fault, done, row, back }: ConnectOriginView): Page {
  const isConnected = row.connection.state === 'connected'
  return {
    title: row.origin.name,
    content: html`${notices(fault, done)}${signedInAs(account)}
${section(row, csrf, back)}
${isConnected && back === null ? html`<p>You can close this page and repeat what you asked your application to do.</p>` : null}
${back === null ? html`<p><a href="/connect">All connected accounts</a></p>` : html`<p><a href="${back}">Back</a></p>`}`,
  }
}

/** What a person agrees to before the browser leaves. */
interface AgreeView {
  readonly csrf: string
  readonly account: string
  readonly origin: Pick<ConnectedOrigin, 'slug' | 'name'>
  readonly offer: ConnectOffer
  /** The account is for all callers. */
  readonly isShared: boolean
  /** The origin has asked for something else when the person agreed. */
  readonly isChanged: boolean
  readonly back: string | null
}

/**
 * Names the MCP server, the authorization server and the scopes. An origin chooses its authorization server, so a hostile one could
 * name the server of something else and get tokens for it.
 */
export function agreePage({ csrf, account, origin, offer, isShared, isChanged, back }: AgreeView): Page {
  const { url, issuer, signInHost, elsewhere, scopes, resource, isOwnServer } = offer
  const { host } = new URL(url)
  return {
    title: `Connect ${origin.name}?`,
    content: html`${isChanged ? notices(`${origin.name} requests other access than before. Read this page again.`, null) : null}${signedInAs(account)}
<p>Postern gets an access token and sends it to this MCP server, ${isShared ? 'for all callers' : 'when your applications call it'}.</p>
<dl>
<dt>MCP server</dt><dd><strong>${origin.name}</strong> <code>${url}</code></dd>
<dt>Authorization server</dt><dd><code>${issuer}</code></dd>
${elsewhere.map(({ use, host: other }) => html`<dt>${use}</dt><dd><code>${other}</code></dd>`)}
<dt>Scopes</dt>${scopes.length === 0 ? html`<dd>those that the authorization server chooses</dd>` : scopes.map((scope) => html`<dd><code>${scope}</code></dd>`)}
<dt>Token for</dt><dd>${resource === null ? 'not limited: Postern names no resource' : html`<code>${resource}</code>`}</dd>
</dl>
${
  elsewhere.length === 0
    ? null
    : html`<p class="warning">The authorization server uses other hosts than its own. Continue only if you know that they belong together.</p>`
}
${
  isOwnServer && resource !== null
    ? null
    : html`<p class="warning">The token may work at other services of <strong>${new URL(issuer).host}</strong>, too. <strong>${host}</strong> can then use it there. Continue only if you trust <strong>${host}</strong> with your account.</p>`
}
<form method="post" action="/connect/${origin.slug}"><input type="hidden" name="csrf" value="${csrf}"><input type="hidden" name="agreed" value="${offer.digest}">${back === null ? null : html`<input type="hidden" name="back" value="${back}">`}<button name="do" value="agree">Continue to ${signInHost}</button></form>
<p><a href="/connect/${origin.slug}${back === null ? '' : `?back=${encodeURIComponent(back)}`}">Cancel</a></p>`,
  }
}

/** Leads to the authorization server of an origin. A redirect is not possible: `form-action` of the page would block it. */
export function leavePage(name: string, to: URL): Page {
  return {
    title: `Connect ${name}`,
    refresh: to.href,
    content: html`<p>You sign in at <strong>${to.host}</strong> and allow Postern to use your account for you.</p>
<p><a href="${to.href}">Continue to ${to.host}</a></p>`,
  }
}

/** The browser belongs to another person than the link. */
export function otherPersonPage(account: string, again: string): Page {
  return {
    title: 'This link is for another person',
    content: html`<p class="fault" role="alert">You are signed in as <strong>${account}</strong>, but this link is for another person.</p>
<p>Do not continue if you got this link from another person.</p>
<p><a href="${again}">Sign in as another person</a></p>`,
  }
}

function signedInAs(account: string): Html {
  return html`<p>You are signed in as <strong>${account}</strong>. <a href="/connect/-/switch">Not you?</a></p>`
}

function notices(fault: string | null, done: string | null): Html | null {
  if (fault !== null) return html`<p class="fault" role="alert">${fault}</p>`
  return done === null ? null : html`<p role="status">${done}</p>`
}

function section({ origin, connection }: OriginRow, csrf: string, back: string | null): Html {
  const { slug, name, mode } = origin
  const hidden = html`<input type="hidden" name="csrf" value="${csrf}">${back === null ? null : html`<input type="hidden" name="back" value="${back}">`}`
  const isThere = connection.state !== 'none'
  return html`<section aria-labelledby="o-${slug}">
<h2 id="o-${slug}">${name}</h2>
<p>${stateText(origin, connection)}</p>
${origin.active && connection.state !== 'switched_off' ? connectForm(slug, name, mode, isThere, hidden) : null}
${isThere ? html`<form method="post" action="/connect/${slug}">${hidden}<button class="other" name="do" value="disconnect">Disconnect ${name}</button></form>` : null}
</section>
`
}

function connectForm(
  slug: string,
  name: string,
  mode: ConnectedOrigin['mode'],
  isThere: boolean,
  hidden: Html,
): Html | null {
  if (isExchanging(mode)) return null
  if (mode !== 'user_key')
    return html`<form method="post" action="/connect/${slug}">${hidden}<button name="do" value="connect">Connect ${name}${isThere ? ' again' : ''}</button></form>`
  return html`<form method="post" action="/connect/${slug}">${hidden}<label>${isThere ? 'New key' : 'Key'} for ${name} <input name="key" type="password" autocomplete="off" required></label><button name="do" value="key">Save the key</button></form>`
}

function stateText({ active, mode }: OriginRow['origin'], connection: ShownConnection): string {
  if (!active) return 'This MCP server is inactive. An administrator can activate it.'
  if (isExchanging(mode))
    return 'Your identity provider signs you in at this server. You do not need to connect an account.'
  return connectionText(connection)
}

/** The state of a connection as a sentence. */
export function connectionText({
  state,
  accountLabel,
  connectedAt,
  lacked,
  isBound,
}: ShownConnection): string {
  const as = accountLabel === '' ? '' : ` as ${accountLabel}`
  const since = connectedAt === null ? '' : ` since ${new Date(connectedAt).toISOString().slice(0, 10)}`
  switch (state) {
    case 'connected':
      return `Connected${as}${since}.${isBound === false ? ' The token does not state that it is only for this server.' : ''}${lacked.length === 0 ? '' : ` A call needs more scopes: ${lacked.join(' ')}. Connect again to allow them.`}`
    case 'refresh_failed':
      return `The connection${as} has ended. Connect again.`
    case 'switched_off':
      return 'Your connection is inactive. An administrator can activate it.'
    case 'none':
      return 'Not connected.'
  }
}

function application({ id, name, resources, since }: ApplicationRow, csrf: string): Html {
  return html`<section>
<h3>${name}</h3>
<p>Approved on ${since}${resources.length === 0 ? null : html` for ${resources.map((one, index) => html`${index === 0 ? null : ', '}<code>${one}</code>`)}`}.</p>
<form method="post" action="/connect"><input type="hidden" name="csrf" value="${csrf}"><input type="hidden" name="client" value="${id}"><button class="other" name="do" value="revoke">Revoke ${name}</button></form>
</section>
`
}
