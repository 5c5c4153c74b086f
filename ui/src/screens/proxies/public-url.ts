/** Where callers reach what the gateway publishes. */
import type { JsonObject } from '../../../build/document.ts'

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
