import type { Column } from './driver.ts'

/** Numbers of types: https://dev.mysql.com/doc/dev/mysql-server/latest/field__types_8h.html */
const TIMESTAMP = 7
const DATETIME = 12

/** A value as JSON. The driver gives dates, decimals and integers beyond 2^53 as text, and binary values as bytes. */
export function jsonValue(value: unknown, { columnType }: Column): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (typeof value === 'bigint') return String(value)
  if (typeof value !== 'string' || (columnType !== TIMESTAMP && columnType !== DATETIME)) return value
  const time = value.replace(' ', 'T')
  // The session is in UTC, in which the server gives this type alone
  return columnType === TIMESTAMP ? `${time}Z` : time
}
