import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../../base/clock.ts'
import type { KeptExport } from '../../model/export.ts'
import type { ExportFiles } from '../../record/export-files.ts'
import { csvHeader, csvRow } from './csv.ts'
import { COLUMNS, type RowSources, rowsOf } from './rows.ts'
import { BYTES_MAX, ROWS_MAX } from './view.ts'

/** How long one may take, while others wait for their turn. */
const RUN_MS = 5 * 60_000

export interface WriteFileDeps extends RowSources {
  readonly files: Pick<ExportFiles, 'create'>
  readonly clock: Clock
  /** Other bounds, for tests. */
  readonly rowsMax?: number
  readonly bytesMax?: number
}

interface Written {
  readonly rows: number
  readonly bytes: number
  /** A bound was reached, or the time was over, before all was written. */
  readonly truncated: boolean
}

/**
 * Writes the file of an export in steps, between which everybody else has their turn.
 * @param goesOn asked before each step; null is answered where it does not
 */
export async function writeFile(
  { id, ...order }: KeptExport,
  deps: WriteFileDeps,
  goesOn: () => boolean,
): Promise<Written | null> {
  const { files, clock, rowsMax = ROWS_MAX, bytesMax = BYTES_MAX } = deps
  const end = clock.monotonic() + RUN_MS
  await using file = await files.create(id)
  const columns = COLUMNS[order.of]
  const header = order.format === 'csv' ? csvHeader(columns) : ''
  await file.write(header)
  let [rows, bytes, truncated] = [0, Buffer.byteLength(header), false]
  for await (const items of rowsOf(order, deps)) {
    if (!goesOn()) return null
    let text = ''
    for (const item of items) {
      const line = order.format === 'csv' ? csvRow(columns, item) : `${JSON.stringify(item)}\n`
      const size = Buffer.byteLength(line)
      truncated = rows === rowsMax || bytes + size > bytesMax
      if (truncated) break
      text += line
      rows += 1
      bytes += size
    }
    await file.write(text)
    truncated ||= clock.monotonic() > end
    if (truncated) break
    await setImmediate()
  }
  return { rows, bytes, truncated }
}
