import type { Accounts } from '../../access/accounts.ts'
import { consentPage } from '../pages/consent.ts'
import type { Happening } from './audit.ts'
import { isLocalRedirect, redirectHost } from './clients.ts'
import type { Consents } from './consents.ts'
import type { Sealed } from './sealed.ts'
import { askedOf, finish, type Interaction, show, type Visit } from './visit.ts'

export interface ConsentStepParts {
  readonly sealed: Sealed
  readonly accounts: Pick<Accounts, 'find'>
  readonly consents: Pick<Consents, 'remember'>
  readonly audit: (happening: Happening) => Promise<void>
}

interface ConsentStep {
  ask(visit: Visit, interaction: Interaction): Promise<void>
  allow(visit: Visit, interaction: Interaction): Promise<void>
  noteDenial(visit: Visit, interaction: Interaction): Promise<void>
}

/** The page on which a person who has signed in allows a client to act for them; what they say is audited. */
export function createConsentStep({ sealed, accounts, consents, audit }: ConsentStepParts): ConsentStep {
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

  return {
    async ask(visit, interaction) {
      const { params, session } = interaction
      const { client, redirectUri, form } = await askedOf(visit, interaction, sealed)
      const account = await accounts.find(session?.accountId ?? '')
      const page = consentPage({
        ...form,
        account: account?.name ?? '',
        client,
        redirectHost: redirectUri === null ? null : redirectHost(redirectUri),
        isLocal: redirectUri !== null && isLocalRedirect(redirectUri),
        resources: [params['resource']].flat().filter((one) => typeof one === 'string'),
        scopes: String(params['scope'] ?? '').split(' '),
      })
      show(visit, 200, page)
    },

    async allow(visit, interaction) {
      const grant = await agree(visit, interaction)
      await consents.remember(grant)
      const { resource, scope } = interaction.params
      await note(visit, interaction, {
        facts: { resource: String(resource ?? ''), scope: String(scope ?? '') },
      })
      return finish(visit, interaction, { consent: { grantId: grant.jti } })
    },

    noteDenial: (visit, interaction) => note(visit, interaction, { denied: 'access_denied' }),
  }
}

/** The grant of the interaction, or a new one, with what was missing in it. */
async function agree({ provider }: Visit, { grantId, params, session, prompt }: Interaction) {
  const grant =
    (grantId === undefined ? undefined : await provider.Grant.find(grantId)) ??
    new provider.Grant({ accountId: session?.accountId ?? '', clientId: String(params['client_id']) })
  // What the engine's own prompt for consent has in its details, which have no type.
  const { missingOIDCScope: openid, missingResourceScopes: missing } = prompt.details as {
    missingOIDCScope?: string[]
    missingResourceScopes?: Record<string, string[]>
  }
  if (openid !== undefined) grant.addOIDCScope(openid)
  for (const [resource, scopes] of Object.entries(missing ?? {})) grant.addResourceScope(resource, scopes)
  await grant.save()
  return grant
}
