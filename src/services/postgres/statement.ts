import { tooLong } from '../failure.ts'
import { ANSWER_BYTES_MAX, type Rows } from '../session.ts'
import type { PgConnection, Submittable } from './driver.ts'
import { type FromText, valueReader } from './values.ts'

/**
 * One statement by the extended protocol, which takes no second one:
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY. The server is asked for one row more than the
 * limit, so that it sends no others.
 */
export class Statement implements Submittable {
  readonly #text: string
  readonly #values: readonly (string | Buffer | null)[]
  readonly #rowLimit: number
  readonly #done: (came: Rows | Error) => void
  #columns: readonly { readonly name: string; readonly read: FromText }[] = []
  readonly #rows: Record<string, unknown>[] = []
  #bytes = 0
  #changed = 0
  #isTruncated = false
  #error: Error | null = null
  #isOver = false

  /** @param done is told once. */
  constructor(
    text: string,
    values: readonly (string | Buffer | null)[],
    rowLimit: number,
    done: (came: Rows | Error) => void,
  ) {
    this.#text = text
    this.#values = values
    this.#rowLimit = rowLimit
    this.#done = done
  }

  submit(connection: PgConnection): void {
    const portal = ''
    connection.stream.cork()
    connection.parse({ name: '', text: this.#text, types: [] })
    connection.bind({ portal, statement: '', values: this.#values, binary: false })
    connection.describe({ type: 'P', name: portal })
    connection.execute({ portal, rows: this.#rowLimit + 1 })
    connection.sync()
    connection.stream.uncork()
  }

  handleRowDescription({ fields }: Parameters<Submittable['handleRowDescription']>[0]): void {
    this.#columns = fields.map(({ name, dataTypeID }) => ({ name, read: valueReader(dataTypeID) }))
  }

  handleDataRow({ fields }: Parameters<Submittable['handleDataRow']>[0]): void {
    if (this.#error !== null) return
    if (this.#rows.length >= this.#rowLimit) {
      this.#isTruncated = true
      return
    }
    for (const text of fields) this.#bytes += text === null ? 4 : text.length
    if (this.#bytes > ANSWER_BYTES_MAX) {
      this.#error = tooLong(ANSWER_BYTES_MAX)
      return
    }
    const values = this.#columns.map(({ name, read }, index): [string, unknown] => {
      const text = fields[index] ?? null
      return [name, text === null ? null : read(text)]
    })
    this.#rows.push(Object.fromEntries(values))
  }

  handlePortalSuspended(): void {
    this.#isTruncated = true
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
    this.#error ??= error
    this.#end()
  }

  handleReadyForQuery(): void {
    this.#end()
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    const rows = this.#rows
    const count = this.#columns.length > 0 ? rows.length : this.#changed
    this.#done(this.#error ?? { rows, count, truncated: this.#isTruncated })
  }
}
