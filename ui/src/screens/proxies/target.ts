/** A first request for a proxy, as the form of the path tester begins. */
import type { JsonObject } from '../../../build/document.ts'

/**
 * The first method of the proxy and its path below that of the collection. Parameters such as `{id}` stay, for a person to fill in; what a
 * path ends with to match everything below (`/*`) is left out.
 */
export function targetOf(
  proxy: JsonObject,
  basePath: string,
): { readonly method: string; readonly target: string } {
  const methods = Array.isArray(proxy['methods']) ? proxy['methods'] : []
  const path = typeof proxy['path'] === 'string' ? proxy['path'] : ''
  const target = `${basePath.replace(/\/$/, '')}/${path.replace(/^\//, '')}`.replace(/\/\*+$/, '/')
  return { method: String(methods[0] ?? 'GET'), target: target === '' ? '/' : target }
}
