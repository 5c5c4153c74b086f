import { createClock } from '../../base/clock.ts'
import { createEgress, NO_LISTENER } from '../../base/egress.ts'
import { createGuardedFetch } from '../../base/guarded-fetch.ts'
import { toOidcProvider } from '../../control/identity-provider.ts'
import { type ClientTrial, tryClient } from '../../oauth/sign-in/try-client.ts'
import { settingName } from '../../settings/schema.ts'
import type { Settings } from '../../settings.ts'
import type { Finding } from '../../surfaces/cli/ports.ts'

const check = 'identity provider'

/** Whether the gateway is let in as a client at the identity provider. It asks there without a person. */
export async function findProvider(
  { oidc, origin, egressAllow }: Settings,
  isNetworkAsked: boolean,
): Promise<Finding[]> {
  if (oidc === null) return []
  const provider = toOidcProvider(oidc)
  if (!isNetworkAsked)
    return [
      { check, state: 'ok', found: `${oidc.issuer}; --network tries the client authentication`, fix: null },
    ]
  const egress = createEgress({ ...NO_LISTENER, allow: egressAllow })
  const tried = await tryClient({ provider, origin, clock: createClock(), fetch: createGuardedFetch(egress) })
  if (typeof tried !== 'string') return [toFinding(oidc.issuer, tried)]
  const found = `${oidc.issuer} cannot be used: ${tried}`
  return [
    { check, state: 'fail', found, fix: `Check ${settingName('OIDC_ISSUER')} and the network between.` },
  ]
}

function toFinding(issuer: string, { method, outcome, answer, instead }: ClientTrial): Finding {
  const setting = settingName('OIDC_CLIENT_AUTH')
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
