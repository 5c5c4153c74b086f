/**
 * Reads source maps (ECMA-426). The reader of `node:module` makes an object for each place: 140 ms and 50 MB for the bundle of a thread,
 * with the first trace. This one notes where each line begins, and reads a line when it is asked for.
 */

interface Payload {
  /** Relative to the file of the map. */
  readonly sources: readonly string[]
  readonly mappings: string
}

/** Numbers from 0. */
export interface SourcePlace {
  readonly source: string
  readonly line: number
  readonly column: number
}

const DIGITS = new Int8Array(128)
for (const [value, digit] of [
  ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
].entries())
  DIGITS[digit.charCodeAt(0)] = value
const [COMMA, SEMICOLON] = [0x2c, 0x3b]

export class SourceLines {
  readonly #sources: readonly string[]
  readonly #mappings: string
  /** For each line: where its mappings begin, and source, line and column before them. */
  readonly #starts: number[] = [0, 0, 0, 0]
  #at = 0

  constructor(payload: Payload) {
    this.#sources = payload.sources
    this.#mappings = payload.mappings
    const place = [0, 0, 0] as [number, number, number]
    while (this.#at < this.#mappings.length) {
      if (this.#mappings.charCodeAt(this.#at) === SEMICOLON) this.#starts.push(++this.#at, ...place)
      else this.#segment(place)
    }
  }

  /** The place of the last mapping at or before a column of a line. */
  find(line: number, column: number): SourcePlace | null {
    const [at, ...before] = this.#starts.slice(4 * line, 4 * line + 4)
    if (at === undefined) return null
    this.#at = at
    const place = before as [number, number, number]
    let found: SourcePlace | null = null
    for (let generated = 0; this.#at < this.#mappings.length; ) {
      if (this.#mappings.charCodeAt(this.#at) === SEMICOLON) break
      generated += this.#segment(place)
      if (generated > column) break
      const [source, sourceLine, sourceColumn] = place
      found = { source: this.#sources[source]!, line: sourceLine, column: sourceColumn }
    }
    return found
  }

  /** Reads a mapping. @param place is moved by it @returns by how much the column grows */
  #segment(place: [number, number, number]): number {
    const grows = this.#number()
    for (let field = 0; this.#isInside(); field++) {
      const by = this.#number()
      if (field < 3) place[field]! += by
    }
    if (this.#mappings.charCodeAt(this.#at) === COMMA) this.#at++
    return grows
  }

  #isInside(): boolean {
    const code = this.#mappings.charCodeAt(this.#at)
    return this.#at < this.#mappings.length && code !== COMMA && code !== SEMICOLON
  }

  /** A number in base 64: five bits a digit, the lowest first, the sixth says that more follow. The lowest bit of all is the sign. */
  #number(): number {
    let value = 0
    for (let shift = 0; ; shift += 5) {
      const digit = DIGITS[this.#mappings.charCodeAt(this.#at++)] ?? 0
      value |= (digit & 31) << shift
      if ((digit & 32) === 0) break
    }
    return value & 1 ? -(value >>> 1) : value >>> 1
  }
}
