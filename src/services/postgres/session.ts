import { once } from 'node:events'
import type { Socket } from 'node:net'
import { parseWithLongTexts } from '../../base/json/exact.ts'
import { GatheredRows, MEMBER_CHARS, statementFault } from '../answer.ts'
import {
  ANSWER_BYTES_MAX,
  type PostgresWork,
  type Rows,
  type ServiceAddress,
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
  secured,
  tlsOptions,
  tooLong,
} from '../socket.ts'
import { loadPg, type PgClient, type PgConnection, type Submittable } from './driver.ts'

type Task = ServiceTask<PostgresWork>

/** Signs in. Rejects with a ServiceFailure. */
export async function openPostgres(task: Task, connect: Connect, signal: AbortSignal): Promise<Session> {
  const { to, login, work } = task
  const { Client } = await loadPg()
  const socket = await connect(to, signal)
  const client = new Client({
    host: to.host,
    port: to.port,
    database: work.database,
    user: login?.username ?? '',
    // With null, a file in the home directory would be read
    password: login?.password ?? '',
    application_name: 'postern',
    ssl: to.tls ? tlsOptions(to) : false,
    stream: connectedAlready(socket),
    connectionTimeoutMillis: CONNECT_MS,
  })
  if (!to.tls)
    // A server that asks for it in plain text may be anybody
    client.connection.prependListener('authenticationCleartextPassword', () =>
      socket.destroy(new ServiceFailure('login', 'the server asks for the password in plain text')),
    )
  const inflow = new Inflow(client.connection)
  let challenges = 0
  // Each takes 100,000 rounds in threads that the whole process shares, and a server has reason for one
  client.connection.prependListener('authenticationSASLContinue', () => {
    if (++challenges > 1) throw lost()
  })
  const cancel = (): void => void socket.destroy()
  signal.addEventListener('abort', cancel, { once: true })
  try {
    // It may fail again, when the connection ends
    client.on('error', () => {})
    await client.connect()
    return new PostgresSession(client, socket, inflow, task, connect)
  } catch (error) {
    socket.destroy()
    throw failureOf(error)
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}

/** For a client that means to connect it. */
function connectedAlready(socket: Socket): Socket {
  return Object.assign(socket, {
    connect: () => {
      process.nextTick(() => socket.emit('connect'))
      return socket
    },
  })
}

/** Holds for one transaction alone, so that nothing of it is left in the session, nor in a pooler between. */
const WITHIN = `SET LOCAL statement_timeout = ${STATEMENT_MS}; SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL bytea_output = 'hex'; SET LOCAL IntervalStyle = 'iso_8601'`

class PostgresSession implements Session {
  readonly #client: PgClient
  readonly #socket: Socket
  readonly #inflow: Inflow
  readonly #task: Task
  readonly #connect: Connect
  #isOpen = true
  #released: Promise<void> | null = null
  /** Has the question that is asked fail. */
  #fail: ((error: ServiceFailure) => void) | null = null

  constructor(client: PgClient, socket: Socket, inflow: Inflow, task: Task, connect: Connect) {
    this.#client = client
    this.#socket = socket
    this.#inflow = inflow
    this.#task = task
    this.#connect = connect
    client.on('error', () => this.#end(lost()))
    client.on('end', () => this.#end(lost()))
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
        this.#run(work as PostgresWork).then(resolve, (error: unknown) => reject(failureOf(error)))
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
    const { processID, secretKey } = this.#client
    const { remoteAddress } = this.#socket
    if (processID === null || secretKey === null || remoteAddress === undefined) this.#socket.destroy()
    else
      this.#released = cancelStatement(
        this.#task.to,
        remoteAddress,
        [processID, secretKey],
        this.#connect,
      ).finally(() => this.#socket.destroy())
  }

  close(): void {
    this.#end(lost())
  }

  #rest(): void {
    this.#inflow.rest(() => this.#end(lost()))
  }

  /** In a transaction of its own, which a statement that only reads does not commit. */
  async #run({ text, values, rowLimit, readOnly }: PostgresWork): Promise<Rows> {
    await this.#client.query(`BEGIN READ ${readOnly ? 'ONLY' : 'WRITE'}; ${WITHIN}`)
    try {
      const rows = await this.#statement(text, values, rowLimit)
      await this.#client.query(readOnly ? 'ROLLBACK' : 'COMMIT')
      return rows
    } catch (error) {
      if (this.#isOpen) await this.#client.query('ROLLBACK')
      throw error
    }
  }

  #statement(text: string, values: PostgresWork['values'], rowLimit: number): Promise<Rows> {
    return new Promise((resolve, reject) => {
      const bound = values.map((value) => (value instanceof Uint8Array ? Buffer.from(value) : value))
      const done = (came: Rows | Error): void => (came instanceof Error ? reject(came) : resolve(came))
      void this.#client.query(new Statement(text, bound, rowLimit, this.#task.login?.password, done))
    })
  }

  #end(error: ServiceFailure): void {
    this.#isOpen = false
    this.#fail?.(error)
    this.#socket.destroy()
  }
}

/** invalid_authorization_specification, invalid_password. */
const LOGIN = /^28/
/** query_canceled, which statement_timeout gives too. */
const CANCELED = '57014'

/**
 * What the driver or the server has said, without values and secrets.
 * @param isBound See {@link statementFault}.
 */
function failureOf(error: unknown, isBound = true, password?: string): ServiceFailure {
  if (error instanceof ServiceFailure) return error
  const { code, message, severity } = error as {
    readonly code?: unknown
    readonly message?: unknown
    readonly severity?: unknown
  }
  // Only the server says how severe it is
  if (severity === undefined || typeof code !== 'string' || !/^[0-9A-Z]{5}$/.test(code))
    return connectionFailure(message)
  if (LOGIN.test(code))
    return new ServiceFailure('login', `the server refused the credential (SQLSTATE ${code})`)
  if (code === CANCELED) return new ServiceFailure('timeout', 'the statement took too long')
  const why = statementFault(code, String(message), isBound, password)
  return new ServiceFailure(code, `PostgreSQL refused the statement (SQLSTATE ${code})${why}`)
}

/** Codes of requests in the place of a start: https://www.postgresql.org/docs/current/protocol-message-formats.html */
const SSL_REQUEST = [8, 80_877_103]
const CANCEL_CODE = 80_877_102

/**
 * Has the server end a statement, over a connection of its own to the same address. Never rejects: if it fails, the statement ends by
 * its own timeout.
 */
async function cancelStatement(
  to: ServiceAddress,
  address: string,
  [processId, secretKey]: readonly [number, number],
  connect: Connect,
): Promise<void> {
  const signal = AbortSignal.timeout(CANCEL_MS)
  let socket: Socket | null = null
  try {
    socket = await connect({ host: address, port: to.port }, signal)
    if (to.tls) {
      socket.write(words(SSL_REQUEST))
      const [answer] = (await once(socket, 'data', { signal })) as [Buffer]
      if (answer.toString() !== 'S') return
      socket = await secured(socket, to, signal)
    }
    socket.write(words([16, CANCEL_CODE, processId, secretKey]))
    socket.resume()
    // The server closes it when it has done so
    if (!socket.closed) await once(socket, 'close', { signal })
  } catch {
    // Told by the statement alone, which ends by its own timeout
  } finally {
    socket?.destroy()
  }
}

function words(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [index, value] of values.entries()) bytes.writeInt32BE(value | 0, 4 * index)
  return bytes
}

/**
 * One statement by the extended protocol, which takes no second one:
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY. The server is asked for one row more than the
 * limit, so that it sends no others.
 */
class Statement implements Submittable {
  readonly #text: string
  readonly #values: readonly (string | Buffer | null)[]
  readonly #rowLimit: number
  readonly #password: string | undefined
  readonly #done: (came: Rows | Error) => void
  readonly #rows: GatheredRows
  #readers: readonly FromText[] | null = null
  #changed = 0
  #error: Error | null = null
  /** Nothing of the statement itself is wrong. */
  #isParsed = false
  #unwatch: (() => void) | null = null
  #isOver = false

  /**
   * @param password That no error repeats.
   * @param done is told once.
   */
  constructor(
    text: string,
    values: readonly (string | Buffer | null)[],
    rowLimit: number,
    password: string | undefined,
    done: (came: Rows | Error) => void,
  ) {
    this.#text = text
    this.#values = values
    this.#rowLimit = rowLimit
    this.#rows = new GatheredRows(rowLimit)
    this.#password = password
    this.#done = done
  }

  submit(connection: PgConnection): void {
    const portal = ''
    const parsed = (): void => {
      this.#isParsed = true
    }
    connection.on('parseComplete', parsed)
    this.#unwatch = () => connection.off('parseComplete', parsed)
    connection.stream.cork()
    connection.parse({ name: '', text: this.#text, types: [] })
    connection.bind({ portal, statement: '', values: this.#values, binary: false })
    connection.describe({ type: 'P', name: portal })
    connection.execute({ portal, rows: this.#rowLimit + 1 })
    connection.sync()
    connection.stream.uncork()
  }

  handleRowDescription({ fields }: Parameters<Submittable['handleRowDescription']>[0]): void {
    this.#rows.columns = fields.map(({ name }) => name)
    this.#readers = fields.map(({ dataTypeID }) => valueReader(dataTypeID))
  }

  handleDataRow({ fields }: Parameters<Submittable['handleDataRow']>[0]): void {
    const readers = this.#readers
    if (this.#error !== null || readers === null) return
    const chars = fields.reduce((sum, text) => sum + (text === null ? MEMBER_CHARS : text.length), 0)
    try {
      this.#rows.add(chars, (index) => {
        const text = fields[index] ?? null
        return text === null ? null : readers[index]!(text)
      })
    } catch (error) {
      // A value that is not of its type comes from no PostgreSQL
      this.#error = error instanceof ServiceFailure ? error : lost()
    }
  }

  handlePortalSuspended(): void {
    this.#rows.cut()
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    this.#changed = Number(/\d+$/.exec(text)?.[0] ?? 0)
  }

  handleEmptyQuery(): void {}

  /** A statement that begins with none of the allowed words could ask for data. */
  handleCopyInResponse(connection: PgConnection): void {
    connection.sendCopyFail('not offered')
  }

  handleCopyData(): void {}

  /** The client tells nothing more of a statement that has failed, and sends the next one once the server is ready. */
  handleError(error: Error): void {
    this.#error ??= failureOf(error, this.#isParsed, this.#password)
    this.#end()
  }

  handleReadyForQuery(): void {
    this.#end()
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#unwatch?.()
    const hasColumns = this.#readers !== null && this.#readers.length > 0
    this.#done(this.#error ?? this.#rows.end(hasColumns ? null : this.#changed))
  }
}

// Values of PostgreSQL as JSON, from the text in which the server writes them. `pg_type.dat` of PostgreSQL has the numbers.

export type FromText = (text: string) => unknown

const asText: FromText = (text) => text

/** A number that JSON would not give exactly stays text. */
const toWhole: FromText = (text) => {
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : text
}

/** `NaN` and `Infinity` stay text. */
const toFloat: FromText = (text) => {
  const number = Number(text)
  return Number.isFinite(number) ? number : text
}

const toBoolean: FromText = (text) => text === 't'
const toJson: FromText = parseWithLongTexts
/** `\x` and hexadecimal digits. */
const toBase64: FromText = (text) => Buffer.from(text.slice(2), 'hex').toString('base64')
/** RFC 3339, from `2026-05-01 00:00:00+00`; `infinity` and years before 1 stay as they are. */
const toTime: FromText = (text) =>
  /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?(\+00)?$/.test(text)
    ? text.replace(' ', 'T').replace('+00', 'Z')
    : text

/** By the number of the type, and that of its arrays. */
const TYPES: readonly (readonly [type: number, array: number, read: FromText])[] = [
  [16, 1000, toBoolean],
  [17, 1001, toBase64],
  [20, 1016, toWhole],
  [21, 1005, toWhole],
  [23, 1007, toWhole],
  [26, 1028, toWhole],
  [25, 1009, asText],
  [1043, 1015, asText],
  [1042, 1014, asText],
  [19, 1003, asText],
  [114, 199, toJson],
  [3802, 3807, toJson],
  [700, 1021, toFloat],
  [701, 1022, toFloat],
  [1700, 1231, asText],
  [1082, 1182, asText],
  [1083, 1183, asText],
  [1114, 1115, toTime],
  [1184, 1185, toTime],
  [2950, 2951, asText],
]

const READERS: ReadonlyMap<number, FromText> = new Map(
  TYPES.flatMap(([type, array, read]): [number, FromText][] => [
    [type, read],
    [array, (text) => arrayOf(text, read)],
  ]),
)

/** How values of a type are read. Types that are not known stay text. */
export function valueReader(type: number): FromText {
  return READERS.get(type) ?? asText
}

/**
 * An array as PostgreSQL writes it (https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO). What is none stays text. Bounds
 * other than 1 are left out.
 */
export function arrayOf(text: string, read: FromText): unknown {
  const from = text.startsWith('[') ? text.indexOf('=') + 1 : 0
  const stack: unknown[][] = []
  let at = from
  for (;;) {
    const char = text[at]
    if (char === '{') {
      stack.push([])
      at++
    } else if (char === '}' || char === ',') {
      at++
      if (char === ',') continue
      const list = stack.pop()
      if (list === undefined) return text
      const outer = stack.at(-1)
      if (outer === undefined) return at === text.length ? list : text
      outer.push(list)
    } else {
      const list = stack.at(-1)
      const item = char === undefined || list === undefined ? null : itemAt(text, at)
      if (item === null) return text
      list!.push(item.value === null ? null : read(item.value))
      at = item.end
    }
  }
}

const QUOTED = /"((?:[^"\\]|\\[\s\S])*)"/y
const PLAIN = /[^",{}]+/y

/** Null where there is none. */
function itemAt(text: string, at: number): { readonly value: string | null; readonly end: number } | null {
  const isQuoted = text[at] === '"'
  const pattern = isQuoted ? QUOTED : PLAIN
  pattern.lastIndex = at
  const found = pattern.exec(text)
  if (found === null) return null
  const end = pattern.lastIndex
  if (isQuoted) return { value: found[1]!.replace(/\\([\s\S])/g, '$1'), end }
  return { value: found[0] === 'NULL' ? null : found[0], end }
}
