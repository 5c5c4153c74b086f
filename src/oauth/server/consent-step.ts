import type { Accounts } from '../../access/accounts.ts'
import { isTickedByHand, OIDC_SCOPES } from '../../access/scopes.ts'
import { consentPage } from '../pages/consent.ts'
import type { Happening } from './audit.ts'
import { isLocalRedirect, redirectHost } from './clients.ts'
import type { Consents } from './consents.ts'
import { type AskedParts, askedOf, finish, type Interaction, show, type Visit } from './visit.ts'

export interface ConsentStepParts extends AskedParts {
  readonly accounts: Pick<Accounts, 'find'>
  readonly consents: Pick<Consents, 'remember' | 'declined'>
  readonly audit: (happening: Happening) => Promise<void>
}

interface ConsentStep {
  ask(visit: Visit, interaction: Interaction): Promise<void>
  /** @param scopes that the person has ticked */
  allow(visit: Visit, interaction: Interaction, scopes: readonly string[]): Promise<void>
  noteDenial(visit: Visit, interaction: Interaction): Promise<void>
}

/** The page on which a person who has signed in allows a client to act for them; what they say is audited. */
export function createConsentStep({
  sealed,
  documents,
  accounts,
  consents,
  audit,
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

  async function ask(visit: Visit, interaction: Interaction, fault: string | null): Promise<void> {
    const { session } = interaction
    const { client, redirectUri, form } = await askedOf(visit, interaction, { sealed, documents })
    const account = await accounts.find(session?.accountId ?? '')
    const declined = await consents.declined(account?.id ?? '', client.id)
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
      fault,
    })
    show(visit, fault === null ? 200 : 400, page)
  }

  return {
    ask: (visit, interaction) => ask(visit, interaction, null),

    async allow(visit, interaction, scopes) {
      const asked = scopesOf(interaction)
      const allowed = asked.filter((scope) => scopes.includes(scope))
      if (allowed.length === 0) return ask(visit, interaction, 'Tick what the client may do, or deny.')
      const declined = asked.filter((scope) => !scopes.includes(scope))
      const grant = await agree(visit, interaction, allowed, declined)
      await consents.remember(grant)
      await note(visit, interaction, {
        facts: {
          resource: resourcesOf(interaction).join(' '),
          scope: allowed.join(' '),
          ...(declined.length === 0 ? {} : { declined: declined.join(' ') }),
        },
      })
      return finish(visit, interaction, { consent: { grantId: grant.jti } })
    },

    noteDenial: (visit, interaction) => note(visit, interaction, { denied: 'access_denied' }),
  }
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
