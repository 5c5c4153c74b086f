/** As much of `mysql2` as is used here: https://sidorares.github.io/node-mysql2/docs */
import type { Duplex } from 'node:stream'
import { loadDriver } from '../driver.ts'

export interface Column {
  readonly name: string
  readonly columnType: number
}

/** The answer to a statement without columns. */
export interface Changed {
  readonly affectedRows: number
}

/** A statement whose rows come one by one. */
interface Command {
  /** Absent until the server has taken the text of the statement. */
  readonly statement?: unknown
  on(event: 'fields', listener: (columns: readonly Column[] | undefined) => void): this
  on(event: 'result', listener: (row: readonly unknown[] | Changed, list: number) => void): this
  on(event: 'error', listener: (error: Error) => void): this
  on(event: 'end', listener: () => void): this
}

export interface MysqlConnection {
  /** Another one when TLS begins. */
  stream: Duplex
  readonly threadId: number
  query(text: string, done: (error: Error | null, rows?: unknown) => void): void
  execute(statement: {
    readonly sql: string
    readonly values: readonly unknown[]
    readonly rowsAsArray: true
  }): Command
  on(event: 'error' | 'end' | 'warn', listener: () => void): void
  once(event: 'connect', listener: () => void): void
  once(event: 'error', listener: (error: Error) => void): void
}

interface Mysql {
  createConnection(options: Readonly<Record<string, unknown>>): MysqlConnection
}

/** @throws ServiceFailure where it is not installed */
export async function loadMysql(): Promise<Mysql> {
  const loaded = (await loadDriver('mysql2')) as Mysql & { readonly default?: Mysql }
  return loaded.default ?? loaded
}
