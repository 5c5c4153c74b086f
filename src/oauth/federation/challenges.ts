/** Reads the challenges of `WWW-Authenticate` fields (RFC 9110 section 11.6.1): where and how a client gets a token. */

/** One challenge of a `WWW-Authenticate` field. */
interface AuthChallenge {
  /** In lower case, such as `bearer`. */
  readonly scheme: string
  /** Parameters by name in lower case; of a repeated one, the first. */
  readonly params: ReadonlyMap<string, string>
}

/** Longer fields are not read. */
const FIELD_MAX = 16_384

const SEPARATORS = /[ \t,]*/y
const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y
const TOKEN_68 = /[ \t]+[A-Za-z0-9\-._~+/]+=*[ \t]*(?=,|$)/y
const EQUALS = /[ \t]*=[ \t]*/y
const QUOTED = /"((?:[^"\\]|\\.)*)"/sy

/**
 * Reads the challenges of a `WWW-Authenticate` field (RFC 9110 section 11.6.1), of which several may be joined by commas. Where
 * the text is malformed, the rest is left out. Takes time linear in the length.
 */
export function parseChallenges(field: string): AuthChallenge[] {
  const found: { readonly scheme: string; readonly params: Map<string, string> }[] = []
  if (field.length > FIELD_MAX) return found
  let at = 0
  const read = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const match = pattern.exec(field)
    if (match !== null) at = pattern.lastIndex
    return match
  }
  while (at < field.length) {
    read(SEPARATORS)
    const name = read(TOKEN)?.[0].toLowerCase()
    if (name === undefined) return found
    if (read(EQUALS) === null) {
      found.push({ scheme: name, params: new Map() })
      read(TOKEN_68)
      continue
    }
    const value = read(QUOTED)?.[1]?.replaceAll(/\\(.)/gs, '$1') ?? read(TOKEN)?.[0]
    const params = found.at(-1)?.params
    if (value === undefined || params === undefined) return found
    if (!params.has(name)) params.set(name, value)
  }
  return found
}

/** What a challenge says of where and how to get a token. */
export interface ResourceChallenge {
  /** URL of the protected resource metadata (RFC 9728 section 5.1), as it stands there. */
  readonly metadata: string | null
  /** Scopes that are asked for (RFC 6750 section 3). */
  readonly scope: string | null
  /** Code of RFC 6750 section 3.1; null for none. */
  readonly error: string | null
}

/** What the challenges of schemes with tokens say; the first that names something counts. */
export function resourceChallengeOf(field: string | undefined): ResourceChallenge {
  const params = parseChallenges(field ?? '')
    .filter(({ scheme }) => scheme === 'bearer' || scheme === 'dpop')
    .map((challenge) => challenge.params)
  const first = (name: string): string | null =>
    params.map((one) => one.get(name)).find((value) => value !== undefined && value !== '') ?? null
  return { metadata: first('resource_metadata'), scope: first('scope'), error: first('error') }
}
