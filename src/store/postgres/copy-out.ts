/**
 * Reads rows with COPY in the binary format. `pg` decodes what a SELECT gives as text, in which bytes take twice their size: blocks of
 * records come four times as fast this way. COPY takes no parameters, so values stand in the statement (`literal`).
 */

/** Decodes the bytes of one column. */
export type Column<T = unknown> = (bytes: Buffer, from: number, to: number) => T

export const BIGINT: Column<number> = (bytes, from) => Number(bytes.readBigInt64BE(from))
export const INTEGER: Column<number> = (bytes, from) => bytes.readInt32BE(from)
export const BOOLEAN: Column<boolean> = (bytes, from) => bytes[from] === 1
export const TEXT: Column<string> = (bytes, from, to) => bytes.toString('utf8', from, to)
/** In a buffer of their own, so that they are aligned and hold nothing else in memory. */
export const BYTES: Column<Uint8Array> = (bytes, from, to) => new Uint8Array(bytes.subarray(from, to))

const SIGNATURE_BYTES = 11
/** Signature, flags, and the length of an extension. */
const HEAD_BYTES = SIGNATURE_BYTES + 8

/** As much of a client of `pg` as is used here. */
interface Asking {
  query(statement: Submittable): unknown
}

/** What a client calls for a query of another class. */
interface Submittable {
  submit(connection: { query(text: string): void }): void
  handleCopyData(message: { readonly chunk: Buffer }): void
  handleCommandComplete(): void
  handleError(error: Error): void
  handleReadyForQuery(): void
}

/**
 * Runs a SELECT that has no parameters.
 * @param columns of the SELECT, in its order
 */
export function copyOut(
  client: Asking,
  select: string,
  columns: readonly Column[],
): Promise<readonly (readonly unknown[])[]> {
  return new Promise((resolve, reject) => {
    client.query(
      new CopyOut(select, columns, (error, rows) => (error === null ? resolve(rows) : reject(error))),
    )
  })
}

/** A whole number for the text of a statement; the largest for an infinity. */
export function numeral(value: number): string {
  const bounded = Math.min(Number.MAX_SAFE_INTEGER, Math.max(Number.MIN_SAFE_INTEGER, Math.round(value)))
  return `${bounded}::bigint`
}

/** A string for the text of a statement, whatever the setting `standard_conforming_strings` is. */
export function literal(text: string): string {
  return ` E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
}

class CopyOut implements Submittable {
  /** `pg` wraps it to keep its own time limit. */
  callback: (error: Error | null, rows: unknown[][]) => void
  readonly #select: string
  readonly #columns: readonly Column[]
  readonly #rows: unknown[][] = []
  /** The beginning of a row that was not whole yet. */
  #rest: Buffer | null = null
  #isHeadRead = false
  #fault: Error | null = null

  constructor(select: string, columns: readonly Column[], callback: CopyOut['callback']) {
    this.#select = select
    this.#columns = columns
    this.callback = callback
  }

  submit(connection: { query(text: string): void }): void {
    connection.query(`copy (${this.#select}) to stdout (format binary)`)
  }

  handleCopyData({ chunk }: { readonly chunk: Buffer }): void {
    if (this.#fault !== null) return
    try {
      this.#read(this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk]))
    } catch (error) {
      // Thrown here it would end the process
      this.#fault = error instanceof Error ? error : new Error(String(error))
    }
  }

  handleError(error: Error): void {
    this.callback(error, [])
  }

  handleReadyForQuery(): void {
    this.callback(this.#fault, this.#rows)
  }

  handleCommandComplete(): void {}

  #read(bytes: Buffer): void {
    let at = 0
    if (!this.#isHeadRead) {
      if (bytes.length < HEAD_BYTES || bytes.length < HEAD_BYTES + bytes.readInt32BE(HEAD_BYTES - 4)) {
        this.#rest = bytes
        return
      }
      at = HEAD_BYTES + bytes.readInt32BE(HEAD_BYTES - 4)
      this.#isHeadRead = true
    }
    for (;;) {
      const end = this.#readRow(bytes, at)
      if (end === null) break
      at = end
    }
    // A piece of the buffer of `pg` holds all of it, and what comes next is a row of its own as a rule
    this.#rest = at === bytes.length ? null : Buffer.from(bytes.subarray(at))
  }

  /** Where the row ends; null where it is not whole. */
  #readRow(bytes: Buffer, start: number): number | null {
    if (start + 2 > bytes.length) return null
    const fields = bytes.readInt16BE(start)
    let at = start + 2
    if (fields === -1) return at
    const row: unknown[] = []
    for (let field = 0; field < fields; field++) {
      if (at + 4 > bytes.length) return null
      const length = bytes.readInt32BE(at)
      at += 4
      if (length === -1) {
        row.push(null)
        continue
      }
      if (at + length > bytes.length) return null
      row.push(this.#columns[field]!(bytes, at, at + length))
      at += length
    }
    this.#rows.push(row)
    return at
  }
}
