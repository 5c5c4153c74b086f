import { isPlain, listedTexts, type Plain, scalarText } from '../../base/json/plain.ts'

/** A server that is reached over HTTP, as a client was told of it. */
export interface Remote {
  readonly url: string
  readonly headers: readonly (readonly [name: string, value: unknown])[]
  /** Reached through a program that speaks stdio to the client and HTTP to the server. */
  readonly isBridged: boolean
  readonly isOff: boolean
}

const SSE =
  'it speaks HTTP with SSE as of 2024-11-05, whose first message names an address at the server itself; if it has a Streamable HTTP endpoint, give that with type "http"'
const STDIO =
  'it is a program that its client starts (stdio), so there is no HTTP to forward; run it behind an HTTP endpoint'

/** A program that the client starts. */
export const PROGRAM = Symbol('program')

/**
 * What a server is: reached over HTTP, a program, or a sentence why it cannot be forwarded.
 * @param isOrigin Postern speaks the protocol to it itself; only then programs are told apart
 */
export function remoteOf(server: unknown, isOrigin: boolean): Remote | typeof PROGRAM | string {
  if (!isPlain(server)) return 'it is no object'
  const given = typeOf(server)
  // GitHub Copilot calls a program so
  const type = given === 'local' ? 'stdio' : given
  const { httpUrl, serverUrl, command } = server
  const url = [httpUrl, server['url'], serverUrl].find((one) => typeof one === 'string')
  const isOff = isSwitchedOff(server)
  if (type === 'stdio' || (type === '' && url === undefined && command !== undefined)) {
    const bridged = bridgedTo(server, isOrigin)
    if (bridged === null) return isOrigin ? PROGRAM : STDIO
    return typeof bridged === 'string' ? bridged : { ...bridged, isOff }
  }
  if (type === 'sse' && !isOrigin) return SSE
  if (type !== '' && type !== 'sse' && !/^(streamable)?http$/.test(type))
    return 'its type is none that is forwarded'
  if (url === undefined) return 'it has neither a URL nor a command'
  if (!isOrigin && type === '' && httpUrl === undefined && /\/sse\/?([?#]|$)/.test(url)) return SSE
  const headers = isPlain(server['headers']) ? Object.entries(server['headers']) : []
  return { url, headers, isBridged: false, isOff }
}

/** The client does not use it. */
export function isSwitchedOff({ disabled, enabled }: Plain): boolean {
  return disabled === true || enabled === false
}

/** `streamable-http`, `streamableHttp` and others are spelt in one way; empty where there is none. */
function typeOf({ type, transport }: Plain): string {
  return (scalarText(type ?? transport) ?? '').slice(0, 100).toLowerCase().replaceAll(/[-_]/g, '')
}

/** What `mcp-remote URL --header NAME:VALUE` leads to; null for another program, a sentence where that cannot be forwarded. */
function bridgedTo(server: Plain, isOrigin: boolean): Omit<Remote, 'isOff'> | string | null {
  const args = listedTexts(server['args'])
  const at = args.findIndex((one) => one.split('@', 1)[0] === 'mcp-remote')
  if (at === -1) return null
  const own = args.slice(at + 1)
  const url = own.find((one) => /^https?:/i.test(one))
  if (url === undefined) return 'it has no http:// or https:// URL'
  if (!isOrigin && own[own.indexOf('--transport') + 1] === 'sse-only') return SSE
  const env = isPlain(server['env']) ? server['env'] : {}
  const headers = own.flatMap((one, index): (readonly [string, unknown])[] => {
    if (own[index - 1] !== '--header') return []
    const [name = '', value = ''] = one.split(/:(.*)/s)
    return [[name.trim(), filled(value.trim(), env)]]
  })
  return { url, headers, isBridged: true }
}

/** A value that is one variable, with what the configuration says of it. */
function filled(value: string, env: Plain): unknown {
  const name = /^\$\{([A-Za-z0-9_]+)\}$/.exec(value)?.[1]
  return name !== undefined && Object.hasOwn(env, name) ? env[name] : value
}
