/** What spreadsheets take for a formula when a cell begins with it. */
const FORMULA = /^[=+\-@\t\r]/

const QUOTED = /[",\r\n]/

/** The header row. @param columns paths of members, such as `actor.name` */
export function csvHeader(columns: readonly string[]): string {
  return `${columns.join(',')}\r\n`
}

/**
 * One row of CSV (RFC 4180). What is absent is empty, objects and lists are JSON. A text that a spreadsheet would run as a
 * formula gets a leading apostrophe.
 */
export function csvRow(columns: readonly string[], item: object): string {
  return `${columns.map((column) => cell(at(item, column))).join(',')}\r\n`
}

function at(item: object, column: string): unknown {
  let value: unknown = item
  for (const name of column.split('.'))
    value = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
  return value
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  const safe = FORMULA.test(text) ? `'${text}` : text
  return QUOTED.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
