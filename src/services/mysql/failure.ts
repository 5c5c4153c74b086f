import { connectionFailure, ServiceFailure } from '../failure.ts'

/** SQLSTATE classes whose texts are about the statement alone, which an administrator has written: syntax, names, read only. */
const TOLD = /^(42|25)/
const LOGIN = '28000'
/** ER_QUERY_INTERRUPTED, ER_QUERY_TIMEOUT, and ER_STATEMENT_TIMEOUT of MariaDB. */
const CANCELED: readonly unknown[] = [1317, 3024, 1969]

/** What the driver or the server has said, without values and secrets. */
export function failureOf(error: unknown): ServiceFailure {
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
