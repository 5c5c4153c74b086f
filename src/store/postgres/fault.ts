/** Translates errors of PostgreSQL and of connections to faults of a store. */
import { type StoreFault, StoreUnavailable } from '../ports/unavailable.ts'

/** SQLSTATE codes (PostgreSQL documentation, appendix A) after which the database cannot be used for now. */
const CODES: Readonly<Record<string, StoreFault>> = {
  '25006': 'read_only',
  '25P03': 'slow',
  '53100': 'disk_full',
  '53200': 'io_error',
  '55P03': 'locked',
  '57014': 'slow',
  '58030': 'io_error',
  '40001': 'locked',
  '40P01': 'locked',
  '42P01': 'missing',
  '42501': 'cannot_open',
  '3D000': 'cannot_open',
  '3F000': 'missing',
  XX001: 'damaged',
  XX002: 'damaged',
}

/** Classes of such codes: the first two characters. 57 also has the code of a cancelled statement, above. */
const CLASSES: Readonly<Record<string, StoreFault>> = {
  '08': 'unreachable',
  '28': 'cannot_open',
  '53': 'unreachable',
  '57': 'unreachable',
}

/** What `pg` says of a connection that it has closed or given up; these errors have no code. */
const LOST =
  /^(Connection terminated|Client has encountered a connection error|timeout exceeded when trying to connect|Query read timeout|The server does not support SSL|There was an error establishing an SSL connection|Client was closed|Cannot use a pool after)/

/**
 * What PostgreSQL or a connection threw, as {@link StoreUnavailable} where it means the database, and as it came otherwise.
 * @param shown names the database in the log
 */
export function toStoreError(error: unknown, shown: string): unknown {
  if (!(error instanceof Error) || error instanceof StoreUnavailable) return error
  const fault = faultOf(error)
  return fault === null ? error : new StoreUnavailable(fault, `${shown}: ${messageOf(error)}`, error)
}

function faultOf(error: Error): StoreFault | null {
  const code = (error as { code?: unknown }).code
  if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code))
    return CODES[code] ?? CLASSES[code.slice(0, 2)] ?? null
  // Errors of the system, of name resolution and of TLS
  if (typeof code === 'string') return 'unreachable'
  return LOST.test(error.message) ? 'unreachable' : null
}

function messageOf(error: Error): string {
  const { code } = error as { code?: unknown }
  const message = error.message || String(code)
  if (message.startsWith('The server does not support SSL'))
    return 'the server offers no TLS. Set it up, or add ?sslmode=disable to the URL if the network is trusted'
  return typeof code === 'string' && !message.includes(code) ? `${message} (${code})` : message
}
