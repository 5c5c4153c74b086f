/**
 * The URL of Valkey or Redis servers: `redis://user:password@host:port`, `rediss://` with TLS, and the schemes `valkey` and `valkeys` for the
 * same. Further servers follow the first: `redis://user@a:6379,b:6379`. They have the same user, password and TLS. Of its parameters, those
 * below are known, and others are refused: one that is ignored would be believed to be in force.
 */
import { readFileSync } from 'node:fs'
import { CannotStart } from '../refusal.ts'
import { isLoopbackHost } from './address.ts'
import { decoded } from './database-url.ts'

/** One server of several. An IPv6 address is without brackets. */
export interface ValkeyServer {
  readonly host: string
  readonly port: number
}

/** Where the servers are, and how to sign in. Plain data: threads get it by message. */
export interface ValkeyAddress {
  /** At least one. They are a primary with its replicas, or some of a cluster. */
  readonly servers: readonly ValkeyServer[]
  /** Empty for the user `default`. */
  readonly user: string
  /** Empty where it is in a file, and where the servers ask for none. Never part of a message. */
  readonly password: string
  /** File whose first line is the password, read for each connection, so that a changed one is used; null where there is none. */
  readonly passwordFile: string | null
  readonly isSecure: boolean
  /** PEM file with the authorities of the certificates; null for those that Node.js knows. */
  readonly authorities: string | null
}

const PORT = 6379
/** All of them are asked at each connection. */
const SERVERS_MAX = 32
const PARAMETERS = new Set(['sslrootcert', 'password_file', 'insecure'])
/** Scheme, TLS, user and password, servers, path, parameters. */
const FORM = /^(?:redis|valkey)(s?):\/\/(?:([^/?#]*)@)?([^@/?#]*)(\/[^?#]*)?(\?[^#]*)?$/i

/**
 * Reads a URL. A server on the network must have a password, or the URL says that it may have none (`insecure=allow`).
 * @returns the address, or a sentence fragment that says what is wrong, without the password
 */
export function readValkeyUrl(text: string): ValkeyAddress | string {
  const [, secure = '', login = '', hosts = '', path = '', query = ''] = FORM.exec(text) ?? []
  if (hosts === '') return 'a URL such as redis://user@host:6379'
  // Before what names parts of the text: any of them may belong to a password
  if (login === '' && text.includes('@')) return 'a URL whose user and password are percent-encoded'
  const colon = login.indexOf(':')
  const user = decoded(colon === -1 ? login : login.slice(0, colon))
  const password = decoded(colon === -1 ? '' : login.slice(colon + 1))
  if (user === undefined || password === undefined) return 'a URL whose user and password are percent-encoded'
  const parameters = new URLSearchParams(query)
  for (const name of parameters.keys())
    if (!PARAMETERS.has(name))
      return `a URL without the parameter ${name}: known are ${[...PARAMETERS].join(', ')}`
  if (!/^\/?0?$/.test(path)) return 'a URL without the number of a database: only database 0 is used'
  const parts = hosts.split(',')
  const servers = parts.flatMap((part) => serverIn(part) ?? [])
  if (servers.length < parts.length)
    return 'a URL whose servers are host:port, such as redis://user@a:6379,b:6379'
  if (servers.length > SERVERS_MAX) return `a URL with at most ${SERVERS_MAX} servers`
  const passwordFile = parameters.get('password_file')
  if (passwordFile !== null && password !== '') return 'a URL with either a password or password_file'
  if (passwordFile === '') return 'a URL whose parameter password_file is a path'
  const authorities = parameters.get('sslrootcert')
  if (authorities !== null && secure === '') return 'a URL that begins with rediss:// to use sslrootcert'
  const insecure = parameters.get('insecure')
  if (insecure !== null && insecure !== 'allow') return 'a URL whose parameter insecure is allow'
  const isOpen = password === '' && passwordFile === null && insecure === null
  if (isOpen && !servers.every(({ host }) => isLoopbackHost(host)))
    return 'a URL with a password or password_file, because everybody on the network could change the counters of a server without one; if nobody else reaches the server, add ?insecure=allow'
  return { servers, user, password, passwordFile, isSecure: secure !== '', authorities }
}

/** @throws CannotStart where a file of the address cannot be read, by which each connection would fail. The password may come later. */
export function demandAuthorities(address: ValkeyAddress | null): void {
  const file = address?.authorities ?? null
  try {
    if (file !== null) readFileSync(file)
  } catch (error) {
    throw new CannotStart(
      `The file of sslrootcert in POSTERN_VALKEY_URL cannot be read: ${(error as Error).message}.`,
      error,
    )
  }
}

/** The address as messages name it: without the password. */
export function shownValkey({ user, servers, isSecure }: ValkeyAddress): string {
  return `${isSecure ? 'rediss' : 'redis'}://${user === '' ? '' : `${user}@`}${servers.map(shownServer).join(',')}`
}

/** One server as messages name it. */
export function shownServer({ host, port }: ValkeyServer): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** `host`, `host:port`, `[IPv6]:port`; null for anything else. */
function serverIn(text: string): ValkeyServer | null {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?$/.exec(text.trim())
  const port = Number(match?.[3] ?? PORT)
  if (match === null || port < 1 || port > 65_535) return null
  if (match[1] !== undefined && !URL.canParse(`http://[${match[1]}]`)) return null
  return { host: match[1] ?? match[2]!, port }
}
