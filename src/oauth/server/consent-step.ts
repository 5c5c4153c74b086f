/** The page on which a signed-in person allows a client to act for them. The decision is audited. */
import type { Accounts } from '../../access/accounts.ts'
import type { McpAccess, McpOffer } from '../../access/mcp-access.ts'
import { isTickedByHand, OIDC_SCOPES } from '../../access/scopes.ts'
import { isConsumer, type ProtectedResources } from '../../base/http/origins.ts'
import { consentPage } from '../pages/consent.ts'
import { heldPage } from '../pages/held.ts'
import type { Happening } from './audit.ts'
import { isLocalRedirect, redirectHost } from './clients.ts'
import type { Consents } from './consents.ts'
import type { GrantProfiles } from './grant-profiles.ts'

import { arriveWith, hostOf } from './hosts.ts'
import type { NeededAccounts } from './needed-accounts.ts'

import { type AskedParts, askedOf, finish, type Interaction, show, type Visit } from './visit.ts'

export interface ConsentStepParts extends AskedParts {
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
export function createConsentStep({
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
      if (allowed.length === 0) return ask(visit, interaction, 'Tick what the client may do, or deny.')
      const chosen = found === null ? '' : chosenIn(found.offer, form)
      if (chosen === undefined) return ask(visit, interaction, 'Pick the profile that the client is to use.')
      if (found !== null && (await isMissing(interaction, found.offer)))
        return ask(visit, interaction, 'Connect the accounts that are needed first.')
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
  error_description: 'An administrator has switched this application off.',
}
const HOST_HELD = {
  error: 'access_denied',
  error_description: 'This application is new here. An administrator must switch it on first.',
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
