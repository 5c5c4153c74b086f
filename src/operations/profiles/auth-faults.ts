import { toMs } from '../../base/clock.ts'
import type { Certificate } from '../../base/crypto/certificate.ts'
import { keyFits, readJwk } from '../../base/crypto/jws.ts'
import type { FieldError } from '../../base/refusal.ts'
import {
  type JwtAuth,
  KEY_ALGS,
  type MtlsAuth,
  type OidcAuth,
  type ProfileSpec,
  SECRET_ALGS,
} from '../../model/access/profile.ts'
import { readAuthorities, readCrls } from '../../snapshot/link/certificates.ts'
import type { OperationContext } from '../engine/context.ts'

const SKEW_MAX_MS = 5 * 60_000
/** A token that lives longer is a credential of its own; use a profile of type token. */
const LIFETIME_MAX_MS = 30 * 86_400_000
/** Types of credentials that say who asks the introspection endpoint. */
const INTROSPECTING: readonly string[] = ['basic', 'bearer']

/** What is wrong with settings that each are well formed; pointers lead into the profile. */
export async function authFaults(
  auth: ProfileSpec['auth'],
  context: OperationContext,
): Promise<FieldError[]> {
  if (auth.type === 'mtls') return certificateFaults(auth)
  if (auth.type === 'jwt') return [...skewFaults(auth), ...jwtFaults(auth)]
  return auth.type === 'oidc' ? [...skewFaults(auth), ...(await oidcFaults(auth, context))] : []
}

const at = (pointer: string, reason: string): FieldError => ({ pointer: `/auth/${pointer}`, reason })

function certificateFaults({ bindings, revocation }: MtlsAuth): FieldError[] {
  const faults: FieldError[] = []
  const authorities: Certificate[] = []
  for (const [index, { ca }] of bindings.entries()) {
    try {
      authorities.push(...readAuthorities(ca))
    } catch (error) {
      faults.push(at(`bindings/${index}/ca`, faultOf(error)))
    }
  }
  if (revocation.crl === null) return faults
  try {
    for (const crl of readCrls(revocation.crl)) {
      const issuers = authorities.filter(({ subject }) => subject === crl.issuer)
      if (issuers.length > 0 && !issuers.some(({ x509 }) => crl.isSignedBy(x509.publicKey)))
        faults.push(at('revocation/crl', 'holds a list that its authority has not signed'))
    }
  } catch (error) {
    faults.push(at('revocation/crl', faultOf(error)))
  }
  return faults
}

function faultOf(error: unknown): string {
  return error instanceof Error ? error.message : 'cannot be read'
}

function skewFaults({ skew }: JwtAuth | OidcAuth): FieldError[] {
  return toMs(skew) > SKEW_MAX_MS ? [at('skew', 'at most 5m')] : []
}

function jwtFaults(auth: JwtAuth): FieldError[] {
  const { mode, keys, jwks_url, audience, algs } = auth
  const faults: FieldError[] = []
  if (toMs(auth.max_lifetime) > LIFETIME_MAX_MS) faults.push(at('max_lifetime', 'at most 30d'))
  const admitted: readonly string[] = mode === 'secret' ? SECRET_ALGS : KEY_ALGS
  for (const [index, alg] of algs.entries())
    if (!admitted.includes(alg)) faults.push(at(`algs/${index}`, `mode ${mode} has ${admitted.join(', ')}`))
  if (mode !== 'secret' && audience === null)
    faults.push(at('audience', `required in mode ${mode}: the issuer signs for others too`))
  if (mode === 'keys' && keys.length === 0) faults.push(at('keys', 'mode keys needs at least one'))
  if (mode !== 'keys' && keys.length > 0) faults.push(at('keys', `mode ${mode} has none here`))
  if (mode === 'jwks_url' && jwks_url === null) faults.push(at('jwks_url', 'mode jwks_url needs it'))
  if (mode !== 'jwks_url' && jwks_url !== null)
    faults.push(at('jwks_url', `mode ${mode} does not fetch keys`))
  const kids = new Set<string>()
  for (const [index, jwk] of keys.entries()) {
    try {
      const { id, key } = readJwk(jwk)
      if (kids.has(id)) faults.push(at(`keys/${index}`, 'another key has its kid'))
      if (algs.length > 0 && !algs.some((alg) => keyFits(key, alg)))
        faults.push(at(`keys/${index}`, 'algs leave it out'))
      kids.add(id)
    } catch (error) {
      faults.push(at(`keys/${index}`, faultOf(error)))
    }
  }
  return faults
}

async function oidcFaults(auth: OidcAuth, context: OperationContext): Promise<FieldError[]> {
  const { introspection_credential: id, introspection_url } = auth
  if (id === null)
    return introspection_url === null
      ? []
      : [at('introspection_url', 'needs introspection_credential: who asks')]
  const credential = await context.whole.byId('credentials', id)
  const type = (credential?.spec['auth'] as { type?: string } | undefined)?.type ?? ''
  return INTROSPECTING.includes(type)
    ? []
    : [at('introspection_credential', 'must be a credential of type basic or bearer')]
}
