/** How a new token is used: a request for a shell, and the entry of an MCP client. The token stands in both, so that they work as copied. */
import { quoted } from '../show-as/forms.ts'

/** Resources whose tokens callers of the gateway send. */
const CALLERS: readonly string[] = ['clients', 'profiles', 'bindings']

/** True for a token that a caller of the gateway sends. @param path of the secret in the answer */
export function isCallToken(resource: string, path: string): boolean {
  return CALLERS.includes(resource) && /(?:^|\.)token$/.test(path)
}

/** @param url of an endpoint, or of the base path of a collection */
export function curlWith(token: string, url: string): string {
  return `TOKEN=${quoted(token)}\ncurl ${quoted(url)} -H "Authorization: Bearer $TOKEN"`
}

/** The entry that most MCP clients take in their file of servers. */
export function mcpWith(token: string, name: string, url: string): string {
  const server = { type: 'http', url, headers: { Authorization: `Bearer ${token}` } }
  return JSON.stringify({ mcpServers: { [name]: server } }, null, 2)
}
