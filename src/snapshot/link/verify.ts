import { createSecretKey } from 'node:crypto'
import { keyFits, readJwk, TRIED_MAX } from '../../base/crypto/jws.ts'
import { toRule } from '../../base/crypto/jwt.ts'
import type { Opener } from '../../vault/opener.ts'
import type { ProfileFragment, VerifyFragment } from '../fragments.ts'
import type { LinkedVerifier, Specificity, VerifyKey } from '../linked/client.ts'

/** Links how signed tokens of a profile are judged. Throws a RangeError that names what is wrong. */
export function linkVerify({ id, slug, verify }: ProfileFragment, open: Opener): LinkedVerifier | null {
  if (verify === null) return null
  const { keys } = verify
  const own =
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
  if (own !== null && own.length > TRIED_MAX)
    throw new RangeError(`profile ${slug} has more than ${TRIED_MAX} keys`)
  const kids = (own ?? []).flatMap(({ kid }) => kid ?? [])
  if (new Set(kids).size !== kids.length) throw new RangeError(`two keys of profile ${slug} have one kid`)
  for (const key of own ?? [])
    if (!verify.algs.some((alg) => keyFits(key.key, alg)))
      throw new RangeError(`the algorithms of profile ${slug} leave out its key ${key.id}`)
  return {
    fragment: verify,
    algs: new Set(verify.algs),
    keys: own,
    source: keys.from === 'jwks' || keys.from === 'discovery' ? `${keys.from} ${keys.url}` : '',
    match: verify.match.map(toRule),
    required: verify.required_claims.map(toRule),
    specificity: specificityOf(verify),
  }
}

function specificityOf({ audience, match, required_claims, required_scopes }: VerifyFragment): Specificity {
  const claimsOf = (rules: VerifyFragment['match']): Set<string> => new Set(rules.map(({ claim }) => claim))
  const named = audience === null ? 0 : 1
  return {
    selectors: named + claimsOf(match).size,
    exact: named + claimsOf(match.filter(({ glob }) => glob === null)).size,
    requirements: claimsOf(required_claims).size + new Set(required_scopes).size,
  }
}
