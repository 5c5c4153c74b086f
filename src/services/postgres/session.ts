import type { Socket } from 'node:net'
import { lost, ServiceFailure, tooLong } from '../failure.ts'
import type { PostgresWork, ServiceTask, ServiceWork } from '../port.ts'
import { ANSWER_BYTES_MAX, type Rows, type Session, STATEMENT_MS } from '../session.ts'
import { boundOpening, CONNECT_MS, type Connect, tlsOptions } from '../socket.ts'
import { cancelStatement } from './cancel.ts'
import { loadPg, type PgClient } from './driver.ts'
import { failureOf } from './failure.ts'
import { Statement } from './statement.ts'

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
  const cancel = (): void => void socket.destroy()
  signal.addEventListener('abort', cancel, { once: true })
  const unbound = boundOpening(socket)
  try {
    // It may fail again, when the connection ends
    client.on('error', () => {})
    await client.connect()
    return new PostgresSession(client, socket, task, connect)
  } catch (error) {
    socket.destroy()
    throw failureOf(error)
  } finally {
    unbound()
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
  readonly #task: Task
  readonly #connect: Connect
  #isOpen = true
  /** Has the question that is asked fail. */
  #fail: ((error: ServiceFailure) => void) | null = null

  constructor(client: PgClient, socket: Socket, task: Task, connect: Connect) {
    this.#client = client
    this.#socket = socket
    this.#task = task
    this.#connect = connect
    client.on('error', () => this.#end(lost()))
    client.on('end', () => this.#end(lost()))
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
    const { stream } = this.#client.connection
    stream.on('data', count)
    try {
      return await new Promise<Rows>((resolve, reject) => {
        this.#fail = reject
        this.#run(work as PostgresWork).then(resolve, (error: unknown) => reject(failureOf(error)))
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
    const { processID, secretKey } = this.#client
    const { remoteAddress } = this.#socket
    if (processID === null || secretKey === null || remoteAddress === undefined) this.#socket.destroy()
    else
      void cancelStatement(this.#task.to, remoteAddress, [processID, secretKey], this.#connect).finally(() =>
        this.#socket.destroy(),
      )
  }

  close(): void {
    this.#end(lost())
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
      void this.#client.query(new Statement(text, bound, rowLimit, done))
    })
  }

  #end(error: ServiceFailure): void {
    this.#isOpen = false
    this.#fail?.(error)
    this.#socket.destroy()
  }
}
