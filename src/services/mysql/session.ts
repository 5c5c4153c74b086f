import type { Socket } from 'node:net'
import {
  ANSWER_BYTES_MAX,
  type MysqlWork,
  type Rows,
  type ServiceTask,
  type ServiceWork,
  type Session,
  STATEMENT_MS,
} from '../port.ts'
import {
  boundOpening,
  CONNECT_MS,
  type Connect,
  connectionFailure,
  lost,
  ServiceFailure,
  tlsOptions,
  tooLong,
} from '../socket.ts'
import { type Changed, type Column, loadMysql, type MysqlConnection } from './driver.ts'

type Task = ServiceTask<MysqlWork>

/** Signs in. Rejects with a ServiceFailure. */
export async function openMysql(task: Task, connect: Connect, signal: AbortSignal): Promise<Session> {
  const opened = await openConnection(task, connect, signal)
  try {
    const version = JSON.stringify(await told(opened.connection, 'SELECT VERSION()'))
    return new MysqlSession(opened, task, connect, /mariadb/i.test(version))
  } catch (error) {
    opened.socket.destroy()
    throw failureOf(error)
  }
}

interface Opened {
  readonly connection: MysqlConnection
  readonly socket: Socket
}

async function openConnection(
  { to, login, work }: Task,
  connect: Connect,
  signal: AbortSignal,
): Promise<Opened> {
  const { createConnection } = await loadMysql()
  // By that name a certificate is verified where the host is an address
  const socket = Object.assign(await connect(to, signal), { _host: to.host })
  const connection = createConnection({
    host: to.host,
    port: to.port,
    database: work.database,
    user: login?.username ?? '',
    password: login?.password ?? '',
    stream: () => socket,
    connectTimeout: CONNECT_MS,
    charset: 'utf8mb4',
    dateStrings: true,
    supportBigNumbers: true,
    // A server must not ask for files, nor take two statements
    flags: ['-LOCAL_FILES', '-MULTI_STATEMENTS'],
    multipleStatements: false,
    // No code is made of the names of columns
    disableEval: true,
    ...(to.tls ? { ssl: { ...tlsOptions(to), verifyIdentity: true } } : {}),
  })
  const cancel = (): void => void socket.destroy()
  signal.addEventListener('abort', cancel, { once: true })
  const unbound = boundOpening(socket)
  try {
    await new Promise<void>((resolve, reject) => {
      connection.once('connect', resolve)
      connection.on('end', () => reject(lost()))
      connection.once('error', reject)
    })
    // It may fail again, when the connection ends
    connection.on('error', () => {})
    return { connection, socket }
  } catch (error) {
    connection.on('error', () => {})
    socket.destroy()
    throw failureOf(error)
  } finally {
    unbound()
    signal.removeEventListener('abort', cancel)
  }
}

function told(connection: MysqlConnection, text: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    connection.query(text, (error, rows) => (error === null ? resolve(rows) : reject(error)))
  })
}

class MysqlSession implements Session {
  readonly #connection: MysqlConnection
  readonly #socket: Socket
  readonly #task: Task
  readonly #connect: Connect
  /** In each question anew: a statement may have set something else. */
  readonly #within: string
  #isOpen = true
  /** Has the question that is asked fail. */
  #fail: ((error: ServiceFailure) => void) | null = null

  constructor({ connection, socket }: Opened, task: Task, connect: Connect, isMariaDb: boolean) {
    this.#connection = connection
    this.#socket = socket
    this.#task = task
    this.#connect = connect
    const timeout = isMariaDb
      ? `max_statement_time = ${STATEMENT_MS / 1000}`
      : `max_execution_time = ${STATEMENT_MS}`
    this.#within = `SET SESSION time_zone = '+00:00', ${timeout}`
    connection.on('error', () => this.#end(lost()))
    connection.on('end', () => this.#end(lost()))
    socket.on('close', () => this.#end(lost()))
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  async ask(work: ServiceWork): Promise<Rows> {
    let bytes = 0
    const count = (piece: Buffer): void => {
      bytes += piece.length
      if (bytes > ANSWER_BYTES_MAX) this.#end(tooLong(ANSWER_BYTES_MAX))
    }
    const { stream } = this.#connection
    stream.on('data', count)
    try {
      return await new Promise<Rows>((resolve, reject) => {
        this.#fail = reject
        this.#run(work as MysqlWork).then(resolve, (error: unknown) => reject(failureOf(error)))
      })
    } finally {
      this.#fail = null
      stream.off('data', count)
    }
  }

  cancel(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#fail?.(new ServiceFailure('timeout', 'the question was given up'))
    void this.#kill().finally(() => this.#socket.destroy())
  }

  close(): void {
    this.#end(lost())
  }

  /** In a transaction of its own, which a statement that only reads does not commit. */
  async #run({ text, values, rowLimit, readOnly }: MysqlWork): Promise<Rows> {
    const tell = (text: string): Promise<unknown> => told(this.#connection, text)
    await tell(`${this.#within}, sql_select_limit = ${rowLimit + 1}`)
    await tell(`START TRANSACTION READ ${readOnly ? 'ONLY' : 'WRITE'}`)
    try {
      const rows = await this.#statement(text, values, rowLimit, readOnly)
      if (this.#isOpen) await tell(readOnly ? 'ROLLBACK' : 'COMMIT')
      return rows
    } catch (error) {
      if (this.#isOpen) await tell('ROLLBACK')
      throw error
    }
  }

  #statement(text: string, values: MysqlWork['values'], rowLimit: number, readOnly: boolean): Promise<Rows> {
    return new Promise((resolve, reject) => {
      const bound = values.map((value) => (value instanceof Uint8Array ? Buffer.from(value) : value))
      const rows: Record<string, unknown>[] = []
      let columns: readonly Column[] | null = null
      let changed = 0
      let truncated = false
      this.#connection
        .execute({ sql: text, values: bound, rowsAsArray: true })
        .on('fields', (came) => {
          columns ??= came ?? null
        })
        .on('result', (row, list = 0) => {
          // A procedure may give several lists of rows: the first counts
          if (isRow(row) && list > 0) return
          if (!isRow(row)) changed = row?.affectedRows ?? 0
          else if (rows.length < rowLimit)
            rows.push(
              Object.fromEntries(columns!.map((column, at) => [column.name, jsonValue(row[at], column)])),
            )
          else {
            truncated = true
            // A LIMIT of the statement counts more than that of the session. What only reads need not be read to its end
            if (readOnly && this.#isOpen) {
              resolve({ rows, count: rows.length, truncated })
              this.#fail = null
              this.cancel()
            }
          }
        })
        .on('error', reject)
        .on('end', () => resolve({ rows, count: columns === null ? changed : rows.length, truncated }))
    })
  }

  /** Never rejects: if it fails, the statement ends by its own timeout. */
  async #kill(): Promise<void> {
    const { remoteAddress } = this.#socket
    if (remoteAddress === undefined) return
    const connect: Connect = ({ port }, signal) => this.#connect({ host: remoteAddress, port }, signal)
    try {
      const { connection, socket } = await openConnection(
        this.#task,
        connect,
        AbortSignal.timeout(CONNECT_MS),
      )
      await told(connection, `KILL QUERY ${Number(this.#connection.threadId)}`).finally(() =>
        socket.destroy(),
      )
    } catch {
      // Told by the statement alone, which ends by its own timeout
    }
  }

  #end(error: ServiceFailure): void {
    this.#isOpen = false
    this.#fail?.(error)
    this.#socket.destroy()
  }
}

function isRow(row: readonly unknown[] | Changed | undefined): row is readonly unknown[] {
  return Array.isArray(row)
}

/** Numbers of types: https://dev.mysql.com/doc/dev/mysql-server/latest/field__types_8h.html */
const TIMESTAMP = 7
const DATETIME = 12

/** A value as JSON. The driver gives dates, decimals and integers beyond 2^53 as text, and binary values as bytes. */
function jsonValue(value: unknown, { columnType }: Column): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (typeof value === 'bigint') return String(value)
  if (typeof value !== 'string' || (columnType !== TIMESTAMP && columnType !== DATETIME)) return value
  const time = value.replace(' ', 'T')
  // The session is in UTC, in which the server gives this type alone
  return columnType === TIMESTAMP ? `${time}Z` : time
}

/** SQLSTATE classes whose texts are about the statement alone, which an administrator has written: syntax, names, read only. */
const TOLD = /^(42|25)/
const LOGIN = '28000'
/** ER_QUERY_INTERRUPTED, ER_QUERY_TIMEOUT, and ER_STATEMENT_TIMEOUT of MariaDB. */
const CANCELED: readonly unknown[] = [1317, 3024, 1969]

/** What the driver or the server has said, without values and secrets. */
function failureOf(error: unknown): ServiceFailure {
  if (error instanceof ServiceFailure) return error
  const { sqlState, errno, message } = error as {
    readonly sqlState?: unknown
    readonly errno?: unknown
    readonly message?: unknown
  }
  if (typeof sqlState !== 'string' || !/^[0-9A-Z]{5}$/.test(sqlState)) return connectionFailure(message)
  if (sqlState === LOGIN) return new ServiceFailure('login', `the server refused the credential (${errno})`)
  if (CANCELED.includes(errno)) return new ServiceFailure('timeout', 'the statement took too long')
  const why = TOLD.test(sqlState) ? `: ${String(message).slice(0, 200)}` : ''
  return new ServiceFailure(
    sqlState,
    `the database refused the statement (SQLSTATE ${sqlState}, error ${errno})${why}`,
  )
}
