import { isPlain } from '../base/json/plain.ts'
import { MASKED } from '../base/text/mask.ts'

/** Names under which secrets stand; a token budget or the name of a key is none. */
const SECRET =
  /^(authorization|proxy-authorization|cookie|password|passwd|secret|client_secret|api[-_]?key|x-api-key|access_token|refresh_token|private_key|hash_key)$/i

const DEPTH_MAX = 32

/** Places of texts that look like secrets by their names, and are neither expressions nor masked. */
export function looksSecret(value: unknown, path: readonly (string | number)[] = []): (string | number)[][] {
  if (path.length > DEPTH_MAX) return []
  if (Array.isArray(value)) return value.flatMap((item, index) => looksSecret(item, [...path, index]))
  if (!isPlain(value)) return []
  return Object.entries(value).flatMap(([name, member]) => {
    const place = [...path, name]
    const isLiteral =
      typeof member === 'string' && member !== '' && member !== MASKED && !member.includes('{{')
    return isLiteral && SECRET.test(name) ? [place] : looksSecret(member, place)
  })
}
