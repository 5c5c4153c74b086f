import type { Socket } from 'node:net'
import { parseWithLongTexts } from '../../base/json/exact.ts'
import { GatheredRows, MEMBER_CHARS, PERMISSION, statementFault } from '../answer.ts'
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
  CANCEL_MS,
  CONNECT_MS,
  type Connect,
  connectionFailure,
  Inflow,
  lost,
  ServiceFailure,
  tlsOptions,
  tooLong,
} from '../socket.ts'
import { type Changed, type Column, loadMysql, type MysqlConnection } from './driver.ts'

type Task = ServiceTask<MysqlWork>

/** Signs in. Rejects with a ServiceFailure. */
export async function openMysql(task: Task, connect: Connect, signal: AbortSignal): Promise<Session> {
  const opened = await openConnection(task, connect, signal, 'SELECT VERSION()')
  return new MysqlSession(opened, task, connect, /mariadb/i.test(JSON.stringify(opened.answer)))
}

interface Opened {
  readonly connection: MysqlConnection
  readonly socket: Socket
  readonly inflow: Inflow
  /** To the first statement. */
  readonly answer: unknown
}

/** @param first Statement that is sent as soon as the server has accepted the login. */
async function openConnection(
  { to, login, work }: Task,
  connect: Connect,
  signal: AbortSignal,
  first: string,
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
    // Its parser would change long numbers
    jsonStrings: true,
    // A server must not ask for files, nor take two statements
    flags: ['-LOCAL_FILES', '-MULTI_STATEMENTS'],
    multipleStatements: false,
    // No code is made of the names of columns
    disableEval: true,
    ...(to.tls ? { ssl: { ...tlsOptions(to), verifyIdentity: true } } : {}),
  })
  const inflow = new Inflow(connection)
  // It may fail more than once, also while it ends
  connection.on('error', () => {})
  // The driver would log each packet that is out of order, and go on
  connection.on('warn', () => {
    throw lost()
  })
  const cancel = (): void => void socket.destroy()
  signal.addEventListener('abort', cancel, { once: true })
  try {
    // The connection may have been given up while the driver was loaded
    if (signal.aborted) cancel()
    await new Promise<void>((resolve, reject) => {
      connection.once('connect', resolve)
      connection.on('end', () => reject(lost()))
      connection.once('error', reject)
    })
    return { connection, socket, inflow, answer: await told(connection, first) }
  } catch (error) {
    socket.destroy()
    throw failureOf(error)
  } finally {
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
  readonly #inflow: Inflow
  readonly #task: Task
  readonly #connect: Connect
  /** In each question anew: a statement may have set something else. */
  readonly #within: string
  #isOpen = true
  #released: Promise<void> | null = null
  /** Has the question that is asked fail. */
  #fail: ((error: ServiceFailure) => void) | null = null

  constructor({ connection, socket, inflow }: Opened, task: Task, connect: Connect, isMariaDb: boolean) {
    this.#connection = connection
    this.#socket = socket
    this.#inflow = inflow
    this.#task = task
    this.#connect = connect
    const timeout = isMariaDb
      ? `max_statement_time = ${STATEMENT_MS / 1000}`
      : `max_execution_time = ${STATEMENT_MS}`
    this.#within = `SET SESSION time_zone = '+00:00', ${timeout}`
    connection.on('error', () => this.#end(lost()))
    connection.on('end', () => this.#end(lost()))
    socket.on('close', () => this.#end(lost()))
    this.#rest()
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  get released(): Promise<void> | null {
    return this.#released
  }

  async ask(work: ServiceWork): Promise<Rows> {
    this.#inflow.allow(ANSWER_BYTES_MAX, () => this.#end(tooLong(ANSWER_BYTES_MAX)))
    try {
      return await new Promise<Rows>((resolve, reject) => {
        this.#fail = reject
        this.#run(work as MysqlWork).then(resolve, (error: unknown) => reject(failureOf(error)))
      })
    } finally {
      this.#fail = null
      this.#rest()
    }
  }

  cancel(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#inflow.stop()
    this.#fail?.(new ServiceFailure('timeout', 'the call was cancelled'))
    this.#released = this.#kill().finally(() => this.#socket.destroy())
  }

  close(): void {
    this.#end(lost())
  }

  #rest(): void {
    this.#inflow.rest(() => this.#end(lost()))
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
      const rows = new GatheredRows(rowLimit)
      let columns: readonly Column[] | null = null
      let changed = 0
      const command = this.#connection.execute({ sql: text, values: bound, rowsAsArray: true })
      command
        .on('fields', (came) => {
          if (columns !== null || came === undefined) return
          columns = came
          rows.columns = came.map(({ name }) => name)
        })
        .on('result', (row, list = 0) => {
          if (!isRow(row)) {
            changed = row?.affectedRows ?? 0
            return
          }
          // A procedure may give several lists of rows: the first counts
          if (list > 0 || columns === null) return
          const known = columns
          try {
            rows.add(charsOf(row), (at) => jsonValue(row[at], known[at]!))
          } catch (error) {
            this.#end(error instanceof ServiceFailure ? error : lost())
          }
          // A LIMIT of the statement counts more than that of the session. What only reads need not be read to its end
          if (!rows.isTruncated || !readOnly || !this.#isOpen) return
          resolve(rows.end(null))
          this.#fail = null
          this.cancel()
        })
        .on('error', (error) =>
          reject(failureOf(error, command.statement !== undefined, this.#task.login?.password)),
        )
        .on('end', () => resolve(rows.end(columns === null ? changed : null)))
    })
  }

  /** Never rejects: if it fails, the statement ends by its own timeout. */
  async #kill(): Promise<void> {
    const { remoteAddress } = this.#socket
    if (remoteAddress === undefined) return
    const connect: Connect = ({ port }, signal) => this.#connect({ host: remoteAddress, port }, signal)
    const kill = `KILL QUERY ${Number(this.#connection.threadId)}`
    try {
      const { socket } = await openConnection(this.#task, connect, AbortSignal.timeout(CANCEL_MS), kill)
      socket.destroy()
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
const JSON_TYPE = 245
const TIMESTAMP = 7
const DATETIME = 12

/** About as many characters as the values have as JSON. */
function charsOf(row: readonly unknown[]): number {
  return row.reduce<number>(
    (chars, value) =>
      chars + (typeof value === 'string' || value instanceof Uint8Array ? value.length : MEMBER_CHARS),
    0,
  )
}

/** A value as JSON. The driver gives dates, decimals and integers beyond 2^53 as text, and binary values as bytes. */
function jsonValue(value: unknown, { columnType }: Column): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'string' && columnType === JSON_TYPE) return parseWithLongTexts(value)
  if (typeof value !== 'string' || (columnType !== TIMESTAMP && columnType !== DATETIME)) return value
  const time = value.replace(' ', 'T')
  // The session is in UTC, in which the server gives this type alone
  return columnType === TIMESTAMP ? `${time}Z` : time
}

const LOGIN = '28000'
/** ER_QUERY_INTERRUPTED, ER_QUERY_TIMEOUT, and ER_STATEMENT_TIMEOUT of MariaDB. */
const CANCELED: readonly unknown[] = [1317, 3024, 1969]

/** Errors of class 42 whose texts name the user and its host: a database, table, column, privilege or routine that it may not use. */
const NOT_PERMITTED: readonly unknown[] = [1044, 1142, 1143, 1227, 1370]

/**
 * What the driver or the server has said, without values, names of users and secrets.
 * @param isBound See {@link statementFault}.
 */
function failureOf(error: unknown, isBound = true, password?: string): ServiceFailure {
  if (error instanceof ServiceFailure) return error
  const { sqlState, errno, message } = error as {
    readonly sqlState?: unknown
    readonly errno?: unknown
    readonly message?: unknown
  }
  if (typeof sqlState !== 'string' || !/^[0-9A-Z]{5}$/.test(sqlState)) return connectionFailure(message)
  if (sqlState === LOGIN) return new ServiceFailure('login', `the server refused the credential (${errno})`)
  if (CANCELED.includes(errno)) return new ServiceFailure('timeout', 'the statement took too long')
  const state = NOT_PERMITTED.includes(errno) ? PERMISSION : sqlState
  const why = statementFault(state, String(message), isBound, password)
  return new ServiceFailure(
    sqlState,
    `the database refused the statement (SQLSTATE ${sqlState}, error ${errno})${why}`,
  )
}
