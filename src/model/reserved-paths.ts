import { ALL_DOORS, outermost } from '../base/doors.ts'

/** Paths that the gateway keeps for itself; no base path may be one of them or lie below one. */
export const RESERVED_PATHS = outermost(ALL_DOORS)

/** Reserved paths by their first letter: an ordinary path of a request is told apart without comparing it with each. */
const BY_LETTER: readonly (readonly string[])[] = Array.from({ length: 128 }, (_, code) =>
  RESERVED_PATHS.filter((path) => path.charCodeAt(1) === code),
)

/** True for a reserved path and everything below it. */
export function isReserved(path: string): boolean {
  const code = path.length < 2 ? 0 : path.charCodeAt(1)
  const candidates = code < 128 ? BY_LETTER[code]! : BY_LETTER[0]!
  for (let i = 0; i < candidates.length; i++) {
    const reserved = candidates[i]!
    if (
      path.startsWith(reserved) &&
      (path.length === reserved.length || path.charCodeAt(reserved.length) === 0x2f)
    )
      return true
  }
  return false
}
