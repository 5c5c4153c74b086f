/**
 * Finds the cookies of the authorization server among others with the same names. A browser also sends cookies that another
 * port, or a page at a longer path of the host, has set, and sends them before ours. The engine reads only the first cookie
 * of a name, so a foreign cookie would sign a person out.
 */
import { createHmac } from 'node:crypto'

/** Values of one name that are looked at. Browsers keep at most 180 cookies of a site. */
const VALUES_MAX = 200

/**
 * A Cookie field that begins with the cookies of these names whose signature is right (RFC 6265 section 5.4 gives the order in which they
 * come). If several are right, the last one counts: ours have the shortest path, and browsers send these last.
 *
 * @param names of cookies that have a signature, in a cookie with `.sig` behind the name
 * @param keys of signatures, the current one first
 */
export function withProvenFirst(field: string, names: readonly string[], keys: readonly string[]): string {
  const pairs = field.split(';').map((pair) => pair.trim())
  const proven = names.flatMap((name) => provenPair(pairs, name, keys))
  return proven.length === 0 ? field : [...proven, field].join('; ')
}

/** The cookie and its signature; nothing where the first ones are those, or none is right. */
function provenPair(pairs: readonly string[], name: string, keys: readonly string[]): readonly string[] {
  const own = new Set(pairs.filter((pair) => pair.startsWith(`${name}=`)).slice(-VALUES_MAX))
  const signatures = new Set(pairs.filter((pair) => pair.startsWith(`${name}.sig=`)))
  if (own.size === 0 || (own.size === 1 && signatures.size <= 1)) return []
  for (const pair of [...own].reverse())
    for (const key of keys) {
      const signature = `${name}.sig=${createHmac('sha1', key).update(pair).digest('base64url')}`
      if (signatures.has(signature)) return [pair, signature]
    }
  return []
}
