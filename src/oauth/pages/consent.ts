import type { McpOffer, OfferedProfile } from '../../access/mcp-access.ts'
import { type Html, html, type Page } from '../../base/http/page.ts'
import type { NeededAccount } from '../server/consents.ts'
import { connectionText } from './connect.ts'

export interface ConsentView {
  readonly path: string
  readonly csrf: string
  /** Who is signed in. */
  readonly account: string
  readonly client: { readonly id: string; readonly name: string | null; readonly isVerified: boolean }
  /** Host of the redirect; null for a device, which gets no redirect. */
  readonly redirectHost: string | null
  /** True when any program of this computer could take the redirect. */
  readonly isLocal: boolean
  readonly resources: readonly string[]
  readonly scopes: readonly ConsentScope[]
  /** What the person may use at an MCP endpoint; null for management. */
  readonly offer: McpOffer | null
  /** The MCP servers behind the endpoint. */
  readonly servers: readonly NeededAccount[]
  /** True for a new application that an administrator must switch on before the person can use it. */
  readonly isHeld: boolean
  /** What was wrong with the form before; null at first. */
  readonly fault: string | null
  readonly formAction: string | undefined
}

interface ConsentScope {
  readonly name: string
  readonly isTicked: boolean
}

const MEANINGS: ReadonlyMap<string, string> = new Map([
  ['management:read', 'see what you may see'],
  ['management:write', 'change what you may change, except access'],
  ['management:admin', 'do everything that you may do, including access and keys'],
  ['mcp:tools', 'call tools'],
  ['mcp:prompts', 'use prompts'],
  ['mcp:resources', 'read resources'],
  ['openid', 'see who you are'],
  ['offline_access', 'keep access while you are away'],
])

/** Asks a person whether a client may act for them, and how much it may do: a scope that is not ticked is not given. */
export function consentPage(view: ConsentView): Page {
  const {
    path,
    csrf,
    account,
    client,
    redirectHost,
    isLocal,
    resources,
    scopes,
    offer,
    servers,
    isHeld,
    fault,
    formAction,
  } = view
  return {
    title: 'Allow access?',
    formAction,
    content: html`${fault === null ? null : html`<p class="fault" role="alert">${fault}</p>`}
<p><strong>${client.name ?? client.id}</strong> asks to act for you, <strong>${account}</strong>.</p>
<dl>
<dt>Client</dt><dd><code>${client.id}</code></dd>
${client.name === null || client.isVerified ? null : html`<dt>Name</dt><dd>unverified: the client chose it</dd>`}
${redirectHost === null ? null : html`<dt>Sends you back to</dt><dd><code>${redirectHost}</code></dd>`}
<dt>For</dt>${resources.map((resource) => html`<dd><code>${resource}</code></dd>`)}
${servers.length === 0 ? null : html`<dt>MCP servers behind it</dt>${servers.map((one) => server(one, path))}`}
<dt>Ends</dt><dd>after 90 days, or when you or an administrator revokes it</dd>
</dl>
${
  isLocal
    ? html`<p class="warning">This client is a program on your computer. Any program on your computer could use this name. Continue only if you have just started it.</p>`
    : null
}
${isHeld ? html`<p class="warning">This application is new here. If you allow it, an administrator must activate it before you can use it.</p>` : null}
<form method="post" action="${path}">
<input type="hidden" name="csrf" value="${csrf}">
${offer?.kind === 'profiles' ? profileChoice(offer.profiles) : null}
<fieldset><legend>It may</legend>
${scopes.map(choice)}
</fieldset>
${allowButton(servers)}
<button class="other" name="do" value="deny">Deny</button>
</form>`,
  }
}

/** The state of the person's account there, and the way to connect it. */
function server({ slug, name, connection, isMissing }: NeededAccount, path: string): Html {
  if (connection === null) return html`<dd>${name}</dd>`
  const to = `/connect/${slug}?back=${encodeURIComponent(path)}`
  const link =
    connection.state === 'connected' ? null : html` <a class="button" href="${to}">Connect ${name}</a>`
  return html`<dd>${name}: ${connectionText(connection)}${isMissing ? html` <strong>Needed.</strong>` : null}${link}</dd>`
}

function allowButton(servers: readonly NeededAccount[]): Html {
  const missing = servers.filter(({ isMissing }) => isMissing)
  if (missing.length === 0) return html`<button name="do" value="allow">Allow</button>`
  return html`<p class="warning">Connect ${missing.map(({ name }) => name).join(', ')} first.</p>
<button name="do" value="allow" disabled>Allow</button>`
}

/** With one profile there is nothing to pick. */
function profileChoice(profiles: readonly OfferedProfile[]): Html {
  if (profiles.length === 1) return html`<p>It uses the profile <strong>${profiles[0]!.name}</strong>.</p>`
  return html`<fieldset><legend>With the profile</legend>
${profiles.map(
  ({
    id,
    name,
  }) => html`<label class="choice"><input type="radio" name="profile" value="${id}" required><span>${name}</span></label>
`,
)}
</fieldset>`
}

function choice({ name, isTicked }: ConsentScope): Html {
  const box = isTicked
    ? html`<input type="checkbox" name="scope" value="${name}" checked>`
    : html`<input type="checkbox" name="scope" value="${name}">`
  return html`<label class="choice">${box}<span><code>${name}</code>: ${MEANINGS.get(name) ?? name}</span></label>
`
}
