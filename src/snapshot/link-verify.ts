import { createSecretKey } from 'node:crypto'
import { toRule } from '../base/claims.ts'
import { readJwk } from '../base/jwk.ts'
import { keyFits, TRIED_MAX } from '../base/jws.ts'
import type { Opener } from '../vault/opener.ts'
import type { ProfileFragment } from './fragments.ts'
import type { LinkedVerifier, VerifyKey } from './snapshot.ts'

/** Links how signed tokens of a profile are judged. Throws a RangeError that names what is wrong. */
export function linkVerify({ id, slug, verify }: ProfileFragment, open: Opener): LinkedVerifier | null {
  // Snapshots that were kept by an older version do not have the member.
  if (verify == null) return null
  const { keys } = verify
  const held =
    keys.from === 'secrets'
      ? keys.secrets.map(
          ({ id: secret, lookup, sealed, retires_at }): VerifyKey => ({
            id: secret,
            kid: lookup,
            alg: null,
            key: createSecretKey(open(sealed, id, secret).reveal(), 'utf8'),
            retiresAt: retires_at,
            isGone: false,
          }),
        )
      : keys.from === 'profile'
        ? keys.keys.map(
            ({ jwk, retires_at }): VerifyKey => ({
              ...readJwk(jwk),
              retiresAt: retires_at,
              isGone: false,
            }),
          )
        : null
  if (held !== null && held.length > TRIED_MAX)
    throw new RangeError(`profile ${slug} has more than ${TRIED_MAX} keys`)
  const kids = (held ?? []).flatMap(({ kid }) => kid ?? [])
  if (new Set(kids).size !== kids.length) throw new RangeError(`two keys of profile ${slug} have one kid`)
  for (const key of held ?? [])
    if (!verify.algs.some((alg) => keyFits(key.key, alg)))
      throw new RangeError(`the algorithms of profile ${slug} leave out its key ${key.id}`)
  return {
    fragment: verify,
    algs: new Set(verify.algs),
    keys: held,
    source: keys.from === 'jwks' || keys.from === 'discovery' ? `${keys.from} ${keys.url}` : '',
    match: verify.match.map(toRule),
    required: verify.required_claims.map(toRule),
  }
}
