/** Checks whether each identity provider accepts Postern as a client. */
import { createClock } from '../../base/clock.ts'
import { createEgress, NO_LISTENER } from '../../base/net/egress.ts'
import { createGuardedFetch } from '../../base/net/guarded-fetch.ts'
import { CannotStart } from '../../base/refusal.ts'
import { type IdentityProvider, toIdentityProviders } from '../../control/identity-provider.ts'
import { type ClientTrial, tryClient } from '../../oauth/sign-in/try-client.ts'
import { memberName, type OidcSettings } from '../../settings/oidc.ts'
import { readProviders } from '../../settings/providers-file.ts'
import type { Settings } from '../../settings.ts'
import type { Finding } from '../../surfaces/cli/ports.ts'

/** Whether the gateway is let in as a client at each identity provider. It asks there without a person. */
export async function findProviders(settings: Settings, isNetworkAsked: boolean): Promise<Finding[]> {
  let all: readonly OidcSettings[]
  let providers: readonly IdentityProvider[]
  try {
    all = readProviders(settings)
    providers = toIdentityProviders(all)
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error
    const fix = 'Correct it before the next start; docs/identity.md describes the members.'
    return [{ check: 'identity providers', state: 'fail', found: error.message, fix }]
  }
  return Promise.all(
    all.map((one, index) => (isNetworkAsked ? tried(one, providers[index]!, settings) : untried(one))),
  )
}

/** The first provider has the plain name, which scripts know. */
const checkOf = ({ slug }: OidcSettings): string =>
  slug === null ? 'identity provider' : `identity provider ${slug}`

function untried(one: OidcSettings): Finding {
  const found = `${one.issuer}; --network tries the client authentication`
  return { check: checkOf(one), state: 'ok', found, fix: null }
}

async function tried(
  one: OidcSettings,
  provider: IdentityProvider,
  { origin, egressAllow }: Settings,
): Promise<Finding> {
  const egress = createEgress({ ...NO_LISTENER, allow: egressAllow })
  const trial = await tryClient({ provider, origin, clock: createClock(), fetch: createGuardedFetch(egress) })
  if (typeof trial !== 'string') return toFinding(one, trial)
  const found = `${one.issuer} cannot be used: ${trial}`
  const fix = `Check ${memberName(one, 'ISSUER')} and the network between.`
  return { check: checkOf(one), state: 'fail', found, fix }
}

function toFinding(one: OidcSettings, { method, outcome, answer, instead }: ClientTrial): Finding {
  const setting = memberName(one, 'CLIENT_AUTH')
  const check = checkOf(one)
  const { issuer } = one
  switch (outcome) {
    case 'accepted':
      return { check, state: 'ok', found: `${issuer} accepts the client by ${method}`, fix: null }
    case 'refused':
      return {
        check,
        state: 'fail',
        found: `${issuer} refuses the client by ${method}: it answered ${answer}`,
        fix:
          instead === null
            ? `Check the client id and the secret or key, and ${setting}.`
            : `It accepts ${instead}: set ${setting} to that.`,
      }
    case 'unclear':
      return {
        check,
        state: 'warn',
        found: `${issuer} does not tell whether it accepts the client by ${method}: it answered ${answer}`,
        fix: 'Sign in once to see, and look at the log.',
      }
  }
}
