import { connectionFailure, ServiceFailure } from '../failure.ts'

/** SQLSTATE classes whose texts are about the statement alone, which an administrator has written: syntax, names, read only. */
const TOLD = /^(42|25)/
/** invalid_authorization_specification, invalid_password. */
const LOGIN = /^28/
/** query_canceled, which statement_timeout gives too. */
const CANCELED = '57014'

/** What the driver or the server has said, without values and secrets. */
export function failureOf(error: unknown): ServiceFailure {
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
  const why = TOLD.test(code) ? `: ${String(message).slice(0, 200)}` : ''
  return new ServiceFailure(code, `PostgreSQL refused the statement (SQLSTATE ${code})${why}`)
}
