/** The messages between gateway threads and the threads that ask databases and mail servers. Plain data. */
import type { OwnedBytes } from '../base/memory/bytes.ts'

/** A server that an administrator has written into a node. */
export interface ServiceAddress {
  /** A name or an address, without brackets. */
  readonly host: string
  readonly port: number
  readonly tls: boolean
  /** Certificate authorities in PEM, instead of those of the system; null for those. */
  readonly ca: string | null
}

export interface ServiceLogin {
  readonly username: string
  readonly password: string
}

/** A command of Redis. */
export interface RedisWork {
  readonly service: 'redis'
  /** Number of the database. */
  readonly database: number
  readonly command: string
  readonly args: readonly (string | OwnedBytes)[]
  /** How bulk strings of the reply are given. */
  readonly encoding: 'text' | 'json' | 'base64'
}

/** One statement for a SQL database. */
interface SqlWork {
  readonly database: string
  readonly text: string
  /** Bound in their order. Texts are in the form that the server reads. */
  readonly values: readonly (string | OwnedBytes | null)[]
  readonly rowLimit: number
  readonly readOnly: boolean
}

export interface PostgresWork extends SqlWork {
  readonly service: 'postgres'
}

export interface MysqlWork extends SqlWork {
  readonly service: 'mysql'
}

/** One e-mail. */
export interface SmtpWork {
  readonly service: 'smtp'
  /** TLS begins by STARTTLS; else with the first byte. Without TLS it means nothing. */
  readonly starttls: boolean
  readonly from: string
  readonly recipients: readonly string[]
  /** Headers and body, with CRLF between lines, without the last one. No line begins with a period. */
  readonly message: string
}

export type ServiceWork = RedisWork | PostgresWork | MysqlWork | SmtpWork

/** One question to one server. */
export interface ServiceTask<Work extends ServiceWork = ServiceWork> {
  /** Who asks: holders share the places of a server and those of the thread. Empty for the gateway itself. */
  readonly holder: string
  readonly to: ServiceAddress
  /** Null for a server that asks for no credential. */
  readonly login: ServiceLogin | null
  readonly work: Work
}

export type ServiceResult =
  /** JSON. */
  | { readonly ok: true; readonly json: string }
  /**
   * `kind` is a word, such as `connect`, `login` or `refused`, or the SQLSTATE of a database. `message` has no value of the question or
   * of a row, and no secret.
   */
  | { readonly ok: false; readonly kind: string; readonly message: string }

export interface ServiceRunner {
  /**
   * Asks a server, apart from the thread that calls. Tells `done` later, once, unless the question was given up.
   * @returns what gives the question up: the server is told to end what it does for it
   */
  run(task: ServiceTask, done: (result: ServiceResult) => void): () => void
}

/** To the thread: a question, or the end of one. */
export type ToServices =
  | { readonly id: number; readonly task: ServiceTask }
  | { readonly id: number; readonly task: null }

export interface FromServices {
  readonly id: number
  readonly result: ServiceResult
}

/** Kind of a question that found no place. */
export const OVERLOADED = 'overloaded'

/** Bytes that a server may send as the answer to one question, and characters of its JSON. */
export const ANSWER_BYTES_MAX = 8 * 1024 * 1024

/** After so long a server ends a statement by itself, also where nobody can tell it to, milliseconds. It is the time of a run. */
export const STATEMENT_MS = 30_000

/** What a statement came to. */
export interface Rows {
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  /** Rows that are given; without any, rows that were changed. */
  readonly count: number
  /** There are more rows. */
  readonly truncated: boolean
}

/** A connection to a server on which somebody has signed in. It has one question at a time. */
export interface Session {
  /** False once it has ended, or must not be used again. */
  readonly isOpen: boolean
  /** After {@link cancel}: resolves once no connection is open for it any more. Null where none is left. */
  readonly released?: Promise<void> | null
  /**
   * Asks the server. What it resolves with can be written as JSON.
   * @throws ServiceFailure
   */
  ask(work: ServiceWork): Promise<unknown>
  /** Has the server end what it does for the question, which then fails, and closes the connection. */
  cancel(): void
  close(): void
}
