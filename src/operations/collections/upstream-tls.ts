import { certificatesOf } from '../../base/crypto/certificate.ts'
import { refuse } from '../../base/refusal.ts'
import type { CollectionSpec } from '../../model/api/collection.ts'
import type { Resource } from '../../store/ports/resource.ts'
import { endWarnings } from '../credentials/expiry.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Warning } from '../engine/kind.ts'

/** Refuses TLS settings of an upstream that is called without TLS. */
export function refuseUselessTls({ upstream }: CollectionSpec): void {
  if (upstream?.tls == null || upstream.targets.every(({ url }) => url.startsWith('https:'))) return
  throw refuse('input_invalid', {
    detail: 'TLS settings are for https targets.',
    errors: [{ pointer: '/upstream/tls', reason: 'the target is http' }],
  })
}

/** Warns of an upstream that is not verified, and of authorities that have ended or soon will. */
export function warnOfTls({ spec }: Resource<'collections'>, { clock }: OperationContext): Warning[] {
  // Earlier versions had no TLS settings
  const tls = spec.upstream?.tls ?? null
  if (tls === null) return []
  const warnings: Warning[] = []
  if (!tls.verify)
    warnings.push({
      pointer: '/upstream/tls/verify',
      reason:
        'the certificate of the upstream is not checked: anybody in between can read calls and answer them',
    })
  for (const { validToDate } of tls.ca === null ? [] : certificatesOf(tls.ca))
    warnings.push(...endWarnings('/upstream/tls/ca', validToDate.toISOString(), clock.now()))
  return warnings
}
