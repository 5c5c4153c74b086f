/** Compiles the settings for signed tokens of a profile to its fragment. Pure. */

import { toMs } from '../../base/clock.ts'
import type { ClaimRule } from '../../base/crypto/jwt.ts'
import {
  type JwtAuth,
  KEY_ALGS,
  type OidcAuth,
  type ProfileSpec,
  SECRET_ALGS,
  toClaimRule,
} from '../../model/access/profile.ts'
import type { KeysFragment, SigningSecretFragment, VerifyFragment } from '../fragments.ts'

/** Null for types without signed tokens. `client` is the slug that stands for an issuer that is not given. */
export function compileVerify(
  auth: ProfileSpec['auth'],
  client: string,
  secrets: readonly SigningSecretFragment[],
): VerifyFragment | null {
  if (auth.type === 'jwt') return compileJwt(auth, client, secrets)
  return auth.type === 'oidc' ? compileOidc(auth) : null
}

function compileJwt(
  auth: JwtAuth,
  client: string,
  secrets: readonly SigningSecretFragment[],
): VerifyFragment {
  const all: readonly string[] = auth.mode === 'secret' ? SECRET_ALGS : KEY_ALGS
  return {
    issuer: auth.issuer ?? client,
    audience: auth.audience,
    algs: auth.algs.length === 0 ? all : auth.algs.filter((alg) => all.includes(alg)),
    skew_ms: toMs(auth.skew),
    lifetime_ms_max: toMs(auth.max_lifetime),
    required_claims: rulesOf(auth.required_claims),
    required_scopes: [],
    match: [],
    accept_id_tokens: true,
    once: auth.jti_replay,
    claims: auth.claims,
    keys: keysOf(auth, secrets),
    introspection: null,
  }
}

function keysOf(auth: JwtAuth, secrets: readonly SigningSecretFragment[]): KeysFragment {
  if (auth.mode === 'secret') return { from: 'secrets', secrets }
  // The check of the profile has refused the mode without its URL.
  if (auth.mode === 'jwks_url') return { from: 'jwks', url: auth.jwks_url ?? '' }
  const keys = auth.keys.map(({ retires_at, ...jwk }) => ({
    jwk,
    retires_at: retires_at == null ? null : Date.parse(retires_at),
  }))
  return { from: 'profile', keys }
}

function compileOidc(auth: OidcAuth): VerifyFragment {
  const { introspection_credential: credential, introspection_url: url } = auth
  return {
    issuer: auth.issuer,
    audience: auth.audience,
    algs: auth.algs.length === 0 ? KEY_ALGS : auth.algs,
    skew_ms: toMs(auth.skew),
    lifetime_ms_max: null,
    required_claims: rulesOf(auth.required_claims),
    required_scopes: auth.required_scopes,
    match: auth.match.map(toClaimRule),
    accept_id_tokens: auth.accept_id_tokens,
    once: false,
    claims: auth.claims,
    keys: { from: 'discovery', url: auth.issuer },
    introspection: credential === null ? null : { credential, url },
  }
}

function rulesOf(claims: JwtAuth['required_claims']): ClaimRule[] {
  return Object.entries(claims).map(([claim, value]) => ({
    claim,
    values: Array.isArray(value) ? value : [value],
    glob: null,
  }))
}
