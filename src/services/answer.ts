/** What a database answers to one statement: rows as JSON within a bound, or an error without values and secrets. */
import { ANSWER_BYTES_MAX, type Rows } from './port.ts'
import { tooLong } from './socket.ts'

/** Characters of JSON beside a name and a value: quotes, a colon and a comma. */
export const MEMBER_CHARS = 4

/** Rows that are gathered. Each has the names of its columns, so that few bytes of a server may be long JSON. */
export class GatheredRows {
  readonly #rows: Record<string, unknown>[] = []
  readonly #rowLimit: number
  #names: readonly string[] = []
  #nameChars = 0
  #chars = 0
  #isTruncated = false

  constructor(rowLimit: number) {
    this.#rowLimit = rowLimit
  }

  set columns(names: readonly string[]) {
    this.#names = names
    this.#nameChars = names.reduce((chars, name) => chars + name.length + MEMBER_CHARS, 0)
  }

  get isTruncated(): boolean {
    return this.#isTruncated
  }

  /**
   * Takes a row.
   * @param valueChars Characters of its values, about.
   * @param valueAt Gives the value of a column.
   * @throws ServiceFailure if the rows are too long together
   */
  add(valueChars: number, valueAt: (index: number) => unknown): void {
    if (this.#rows.length >= this.#rowLimit) {
      this.#isTruncated = true
      return
    }
    this.#chars += this.#nameChars + valueChars
    if (this.#chars > ANSWER_BYTES_MAX) throw tooLong(ANSWER_BYTES_MAX)
    this.#rows.push(Object.fromEntries(this.#names.map((name, index) => [name, valueAt(index)])))
  }

  /** There are more rows than the limit. */
  cut(): void {
    this.#isTruncated = true
  }

  /** @param changed Rows that a statement without columns has changed; null for one with columns. */
  end(changed: number | null): Rows {
    const rows = this.#rows
    return { rows, count: changed ?? rows.length, truncated: this.#isTruncated }
  }
}

/** SQLSTATE classes whose texts are about the statement alone, which an administrator has written: syntax and names. */
const SYNTAX = /^42/
/** SQLSTATE of PostgreSQL for what a user may not do. */
export const PERMISSION = '42501'
/** Also while a statement runs, when its text may have values. */
const FIXED: ReadonlyMap<string, string> = new Map([
  ['25006', 'it cannot be executed in a read-only transaction'],
  [PERMISSION, 'the user of the credential lacks a permission'],
])
const TEXT_CHARS_MAX = 200

/**
 * The reason that follows the SQLSTATE in the message of an error, with `: ` before it. It is empty if the text of the database could
 * contain a value or the password.
 * @param isBound The server has taken the text of the statement, so that its error may be about values.
 * @param password That no text repeats.
 */
export function statementFault(
  sqlState: string,
  message: string,
  isBound: boolean,
  password: string | undefined,
): string {
  const fixed = FIXED.get(sqlState)
  if (fixed !== undefined) return `: ${fixed}`
  const isTold =
    SYNTAX.test(sqlState) &&
    !isBound &&
    (password === undefined || password === '' || !message.includes(password))
  return isTold ? `: ${message.slice(0, TEXT_CHARS_MAX)}` : ''
}
