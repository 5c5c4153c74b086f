/** Adds the rows of blocks up by minute, facet and value. */
import type { RecordBlock } from '../../store/ports/records.ts'
import { type Rows, readBlock } from '../block.ts'
import { addRow, type Cell, countsIn } from './cells.ts'
import { FACETS, facetValue } from './facets.ts'
import { MINUTE_MS, startOf } from './tiers.ts'

/** Cells by value, of each facet in the order of {@link FACETS}. */
type MinuteCells = readonly Map<string, Cell>[]

export class Tally {
  /** By the start of the minute. */
  readonly minutes = new Map<number, MinuteCells>()
  readonly #wordId: (text: string) => number

  /** @param wordId number of a word */
  constructor(wordId: (text: string) => number) {
    this.#wordId = wordId
  }

  /**
   * Counts the rows of a block.
   * @param fits which rows; all when absent
   * @param sign -1 takes them out again
   */
  add(
    block: RecordBlock,
    sign: 1 | -1 = 1,
    fits: ((rows: Rows) => ((row: number) => boolean) | null) | null = null,
  ): void {
    const rows = readBlock(block)
    const chosen = fits === null ? () => true : fits(rows)
    if (chosen === null) return
    for (let row = 0; row < rows.count; row++) if (chosen(row)) this.#addRow(rows, row, sign, block.proved)
  }

  #addRow(rows: Rows, row: number, sign: 1 | -1, proved: boolean): void {
    const minute = startOf(rows.timeMs(row), MINUTE_MS)
    let cells = this.minutes.get(minute)
    if (cells === undefined) {
      cells = FACETS.map(() => new Map())
      this.minutes.set(minute, cells)
    }
    const status = rows.status(row)
    for (const [at, { name, isTimed }] of FACETS.entries()) {
      const value = facetValue(name, rows, row, proved)
      if (value === null) continue
      const byValue = cells[at]!
      let cell = byValue.get(value)
      if (cell === undefined) {
        cell = new Map()
        byValue.set(value, cell)
      }
      addRow(countsIn(cell, status), rows, row, {
        sign,
        isTimed,
        code: name === 'endpoint' ? this.#codeOf(rows, row) : 0,
      })
    }
  }

  #codeOf(rows: Rows, row: number): number {
    const code = rows.words[rows.word(row, 'code')] ?? ''
    return code === '' ? 0 : this.#wordId(code)
  }
}
