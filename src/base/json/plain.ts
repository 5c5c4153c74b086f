/** An object as JSON gives it. */
export type Plain = Record<string, unknown>

/** True for an object that is neither a list nor bytes: to read bytes as members would hide what they say. */
export function isPlain(value: unknown): value is Plain {
  return value !== null && typeof value === 'object' && !Array.isArray(value) && !ArrayBuffer.isView(value)
}

/** A text, a number or a truth value as text; undefined for anything else, which need not be able to become one. */
export function scalarText(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : undefined
}

/** The texts of a list; none of anything else. */
export function listedTexts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
}

/** Containers inside each other: no document has as many. What reads a document may then call itself for each of them. */
export const NESTED_MAX = 128

/** True for more than `nestedMax` objects and lists inside each other. */
export function isDeep(root: unknown, nestedMax: number = NESTED_MAX): boolean {
  const isContainer = (value: unknown): value is object => value !== null && typeof value === 'object'
  let level: object[] = [root].filter(isContainer)
  for (let depth = 0; level.length > 0; depth++) {
    if (depth === nestedMax) return true
    const next: object[] = []
    for (const one of level)
      for (const inner of Object.values(one) as unknown[]) if (isContainer(inner)) next.push(inner)
    level = next
  }
  return false
}

/**
 * The JSON object that a server has answered, which may begin with a byte order mark; null for anything else, also for one that is
 * nested so deeply that writing it would exhaust the stack.
 */
export function plainIn(body: Buffer): Plain | null {
  try {
    const value: unknown = JSON.parse(body.toString().replace(/^\uFEFF/, ''))
    return isPlain(value) && !isDeep(value) ? value : null
  } catch {
    return null
  }
}

// JSON pointers (RFC 6901).

/** Adds reference tokens to a pointer: `pointerTo('/paths', '/orders', 'get')` is `/paths/~1orders/get`. */
export function pointerTo(base: string, ...tokens: readonly PropertyKey[]): string {
  let pointer = base
  for (const token of tokens) pointer += `/${String(token).replaceAll('~', '~0').replaceAll('/', '~1')}`
  return pointer
}

/** The text that a reference token stands for. */
export function tokenText(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~')
}
