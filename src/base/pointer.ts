/** JSON pointers (RFC 6901). */

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
