/**
 * The URL of a PostgreSQL server, as libpq writes it (PostgreSQL documentation, 34.1.1.2 "Connection URIs"):
 * `postgres://user:password@host:port/database?sslmode=…`. Of its parameters, those below are known, and others are refused: one that is
 * ignored would be believed to be in force.
 */
import { readFileSync } from 'node:fs'
import { CannotStart } from '../refusal.ts'
import { isLoopbackHost } from './address.ts'

/** How the connection is secured: `sslmode` of libpq. Modes that go on without TLS where the server has none are not offered. */
const TLS_MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const
type TlsMode = (typeof TLS_MODES)[number]

/** Where a database is, and how to sign in. Plain data: threads get it by message. */
export interface DatabaseAddress {
  /** A host name or address, or the directory of a Unix socket. */
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  /** Empty where it is in a file, and where the server asks for none. Never part of a message. */
  readonly password: string
  /** File whose first line is the password, read for each connection, so that a changed one is used; null where there is none. */
  readonly passwordFile: string | null
  readonly tls: TlsMode
  /** PEM file with the authorities of the server's certificate; null for those that Node.js knows. */
  readonly authorities: string | null
}

const PORT = 5432
const PARAMETERS = new Set(['host', 'sslmode', 'sslrootcert', 'password_file'])

/**
 * Reads a URL. Without `sslmode`, TLS with a verified certificate is used, except on the loopback and on a Unix socket, which use none.
 * @returns the address, or a sentence fragment that says what is wrong, without the password
 */
export function readDatabaseUrl(text: string): DatabaseAddress | string {
  // libpq names no host where the socket is a parameter; URLs of other kinds must have one
  const hostless = /^postgres(?:ql)?:\/\/(?:[^/?#]*@)?(?=\/)/i.exec(text)?.[0]
  const url = URL.parse(hostless === undefined ? text : `${hostless}localhost${text.slice(hostless.length)}`)
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol))
    return 'a URL such as postgres://user@host:5432/database'
  const [user, password, database] = [url.username, url.password, url.pathname.slice(1)].map(decoded)
  // Before what names parts of the text: where no user is found, any of them may be a password
  if (!user) return 'a URL with a user'
  for (const name of url.searchParams.keys())
    if (!PARAMETERS.has(name))
      return `a URL without the parameter ${name}: known are ${[...PARAMETERS].join(', ')}`
  const socket = url.searchParams.get('host')
  if (socket !== null && !socket.startsWith('/'))
    return 'a URL whose parameter host is the directory of a Unix socket, such as /var/run/postgresql'
  const host = socket ?? url.hostname.replace(/^\[(.*)\]$/, '$1')
  if (host === '' || (hostless !== undefined && socket === null)) return 'a URL with a host'
  if (!database || database.includes('/')) return 'a URL with the name of a database as its path'
  if (password === undefined) return 'a URL whose password is percent-encoded'
  const file = url.searchParams.get('password_file')
  if (file !== null && password !== '') return 'a URL with either a password or password_file'
  const isLocal = socket !== null || isLoopbackHost(host)
  const mode = url.searchParams.get('sslmode') ?? (isLocal ? 'disable' : 'verify-full')
  const tls = TLS_MODES.find((one) => one === mode)
  if (tls === undefined) return `a URL whose sslmode is one of ${TLS_MODES.join(', ')}`
  if (socket !== null && tls !== 'disable') return 'a URL without sslmode, because a Unix socket has no TLS'
  return {
    host,
    port: url.port === '' ? PORT : Number(url.port),
    database,
    user,
    password,
    passwordFile: file,
    tls,
    authorities: url.searchParams.get('sslrootcert'),
  }
}

/** The setting of the database, for commands that read no other setting; null without it. Throws {@link CannotStart} where it is wrong. */
export function databaseIn(env: Readonly<Record<string, string | undefined>>): DatabaseAddress | null {
  const url = env['POSTERN_DATABASE_URL']
  if (!url) return null
  const database = readDatabaseUrl(url)
  if (typeof database === 'string') throw new CannotStart(`POSTERN_DATABASE_URL must be ${database}.`)
  return database
}

/**
 * A text that was given as a URL of a database, with `…` in the place of its password. It may be written wrongly, or as another program
 * writes it.
 */
export function withoutPassword(text: string): string {
  return text
    .replace(/^(\s*(?:[a-z]+:\/+|(?![a-z]+:\/))[^:@/?#]*):[\s\S]*@/i, '$1:…@')
    .replace(/(password\s*)=[^&]*/gi, '$1=…')
}

/**
 * The password in a file: its first line. Called for each connection, so that a changed one is used.
 * @throws Error when it cannot be read
 */
export function passwordIn(file: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n[\s\S]*$/, '')
  } catch (error) {
    throw new Error(`password_file cannot be read: ${(error as Error).message}`)
  }
}

/** The address as messages name it: without the password. */
export function shownDatabase({ user, host, port, database }: DatabaseAddress): string {
  if (host.startsWith('/')) return `postgres://${user}@/${database}?host=${host}`
  return `postgres://${user}@${host.includes(':') ? `[${host}]` : host}:${port}/${database}`
}

/** A part of a URL without percent-encoding; undefined where that is broken. */
export function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
