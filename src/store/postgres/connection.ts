/**
 * Connections to PostgreSQL. Each statement is sent with its values and without a name, so that a pooler may stand between (PgBouncer in
 * transaction mode). What holds for one transaction is set with `set local`, and nothing is left in a session.
 */
import { readFileSync } from 'node:fs'
import { isDriverInstalled, loadDriver, missingDriver } from '../../base/drivers.ts'
import { type DatabaseAddress, passwordIn, shownDatabase } from '../../base/net/database-url.ts'
import { CannotStart } from '../../base/refusal.ts'
import { type Column, copyOut } from './copy-out.ts'
import { toStoreError } from './fault.ts'

/** Tables of Postern are in this schema, so that they collide with nothing else in the database. */
export const SCHEMA = 'postern'

/** How long a connection is waited for, milliseconds. */
const CONNECT_MS = 5000
/** How long one statement may take before the connection counts as lost, milliseconds. Longer than a statement waits for a lock. */
const STATEMENT_MS = 30_000
/** An unused connection is closed after this time, milliseconds. */
const IDLE_MS = 60_000

/** As much of `pg` as is used here: https://node-postgres.com */
export interface PgClient {
  /** Without values a text may have several statements; the result is that of the last one. */
  query(text: string, values?: readonly unknown[]): Promise<PgResult>
  /** As `copyOut`. */
  copy(select: string, columns: readonly Column[]): Promise<readonly (readonly unknown[])[]>
  release(destroy?: boolean): void
  on(
    event: 'notification',
    listener: (message: { readonly channel: string; readonly payload?: string }) => void,
  ): void
  on(event: 'error' | 'end', listener: (error?: Error) => void): void
  off(event: 'error', listener: (error?: Error) => void): void
}

interface PgResult {
  readonly command: string
  readonly rowCount: number | null
  readonly rows: Record<string, unknown>[]
}

/** A client of `pg` itself. */
type RawClient = Omit<PgClient, 'copy'> & Parameters<typeof copyOut>[0]

interface RawPool extends Omit<PgPool, 'connect'> {
  connect(): Promise<RawClient>
}

export interface PgPool {
  connect(): Promise<PgClient>
  end(): Promise<void>
  on(event: 'error', listener: (error: Error) => void): void
}

/** A connection of `pg`, before it can be used. */
interface UnconnectedClient {
  connect(done: (error: Error | null) => void): void
  readonly connection: { readonly stream: { destroy(): void } }
}

interface Pg {
  readonly Client: new (options: unknown) => UnconnectedClient
  readonly Pool: new (options: Readonly<Record<string, unknown>>) => RawPool
  readonly types: { getTypeParser(type: number, format?: string): (text: string) => unknown }
}

/** Codes after which the server ends the connection: it may be open still when the next use gets it. */
const ENDED = /^(08|25P0[34]|57P)/

/** Types of whole numbers of eight bytes: those of the tables fit into a JavaScript number. */
const INT8 = 20

/** A pool whose statements reject as {@link toStoreError} says. @param failed told of each error that means the database */
export async function openPool(
  address: DatabaseAddress,
  max: number,
  failed: (error: unknown) => void,
): Promise<PgPool> {
  if (!isDriverInstalled('pg')) throw new CannotStart(`${shownDatabase(address)}: ${missingDriver('pg')}.`)
  const { Pool, Client, types } = (await loadDriver('pg')) as Pg
  /** Closes what could not be connected: `pg` leaves it open after an error of its own, and the process would wait for it. */
  class ClosingClient extends Client {
    override connect(done: (error: Error | null) => void): void {
      super.connect((error) => {
        if (error !== null && error !== undefined) this.connection.stream.destroy()
        done(error)
      })
    }
  }
  const pool = new Pool({
    host: address.host,
    port: address.port,
    database: address.database,
    user: address.user,
    Client: ClosingClient,
    // A function: without a password, `pg` would read a file in the home directory
    password: () => passwordOf(address),
    ssl: tlsOf(address),
    application_name: 'postern',
    max,
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: STATEMENT_MS,
    idleTimeoutMillis: IDLE_MS,
    keepAlive: true,
    allowExitOnIdle: true,
    types: {
      getTypeParser: (type: number, format?: string) =>
        type === INT8 && format !== 'binary' ? Number : types.getTypeParser(type, format),
    },
  })
  // An unused connection was lost: the pool opens another one
  pool.on('error', () => {})
  const translated = (error: unknown): unknown => {
    const known = toStoreError(error, shownDatabase(address))
    failed(known)
    return known
  }
  return {
    async connect() {
      const client = await pool.connect().catch((error: unknown) => {
        throw translated(error)
      })
      return guarded(client, translated)
    },
    end: () => pool.end(),
    on: (event, listener) => pool.on(event, listener),
  }
}

/** Called where the server asks for one. */
function passwordOf({ password, passwordFile }: DatabaseAddress): string {
  if (password !== '') return password
  if (passwordFile !== null)
    try {
      return passwordIn(passwordFile)
    } catch (error) {
      throw Object.assign(error as Error, { code: '28P01' })
    }
  const what =
    'the server asks for a password. Set it in POSTERN_DATABASE_URL, or name its file with the parameter password_file'
  throw Object.assign(new Error(what), { code: '28P01' })
}

/** Does something with a connection that nothing else uses. */
export async function withPool<T>(address: DatabaseAddress, work: (pool: PgPool) => Promise<T>): Promise<T> {
  const pool = await openPool(address, 1, () => {})
  try {
    return await work(pool)
  } finally {
    await pool.end()
  }
}

/**
 * A client for one use. A statement that comes after its release is refused: the connection then belongs to another use. After an error of
 * the connection, or a statement that did not end in time, the pool closes the connection.
 */
function guarded(client: RawClient, translated: (error: unknown) => unknown): PgClient {
  let isReleased = false
  let isLost = false
  const lose = (): void => {
    isLost = true
  }
  client.on('error', lose)
  const run = async <T>(statement: () => Promise<T>): Promise<T> => {
    if (isReleased) throw new Error('a statement came after its transaction')
    try {
      return await statement()
    } catch (error) {
      const code = String((error as { code?: unknown }).code)
      // Without a code of the server, the connection is in an unknown state
      if (!/^[0-9A-Z]{5}$/.test(code) || ENDED.test(code)) lose()
      throw translated(error)
    }
  }
  return {
    async query(text, values) {
      const result: PgResult | PgResult[] = await run(() => client.query(text, values))
      return Array.isArray(result) ? result.at(-1)! : result
    },
    copy: (select, columns) => run(() => copyOut(client, select, columns)),
    release(destroy) {
      isReleased = true
      client.off('error', lose)
      client.release(destroy === true || isLost)
    },
    on: client.on.bind(client) as PgClient['on'],
    off: client.off.bind(client),
  }
}

function tlsOf({ tls, authorities }: DatabaseAddress): false | Readonly<Record<string, unknown>> {
  if (tls === 'disable') return false
  let ca: string | undefined
  try {
    if (authorities !== null) ca = readFileSync(authorities, 'utf8')
  } catch (error) {
    throw new CannotStart(`The file of sslrootcert cannot be read: ${(error as Error).message}.`, error)
  }
  return {
    ...(ca === undefined ? {} : { ca }),
    rejectUnauthorized: tls !== 'require',
    // A certificate of the right authority with another name
    ...(tls === 'verify-ca' ? { checkServerIdentity: () => undefined } : {}),
  }
}
