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

// Where callers reach what the gateway publishes.

/**
 * The URL of a target, such as `/orders/v1`, at the gateway. A collection with host names of its own is reached at the first one.
 * @param gatewayUrl such as `https://api.example.com`
 */
export function publicUrl(gatewayUrl: string, collection: JsonObject, target: string): string {
  const hosts = Array.isArray(collection['hosts']) ? collection['hosts'] : []
  const host = hosts.find((one) => typeof one === 'string')
  if (host === undefined || !URL.canParse(gatewayUrl)) return `${gatewayUrl.replace(/\/$/, '')}${target}`
  const url = new URL(gatewayUrl)
  return `${url.protocol}//${host}${url.port === '' ? '' : `:${url.port}`}${target}`
}
