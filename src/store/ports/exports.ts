/** Exports and their files, where they are kept. Each method rejects with StoreUnavailable while that cannot be used. */
import type { KeptExport } from '../../model/record.ts'

export interface StoredExport {
  readonly kept: KeptExport
  /** It is not finished, and the process that was to write it has ended. */
  readonly isLost: boolean
}

export interface ExportStore {
  /** In any order. */
  all(): Promise<readonly StoredExport[]>
  find(id: string): Promise<StoredExport | undefined>
  /** Adds what `judge` makes of all exports, which this process writes. No other is added meanwhile. */
  add(judge: (all: readonly StoredExport[]) => KeptExport): Promise<KeptExport>
  /** Replaces an export if its state is one of these; false if not, or if there is none. */
  replace(one: KeptExport, from: readonly KeptExport['state'][]): Promise<boolean>
  /** Starts the bytes of an export anew. */
  create(id: string): Promise<ExportWriter>
  /** Of the bytes; undefined when there are none. */
  size(id: string): Promise<number | undefined>
  /** The bytes as they are pulled; nothing is opened before the first pull. */
  read(id: string): ReadableStream<Uint8Array>
  removeBytes(id: string): Promise<void>
  /** The export too. */
  remove(id: string): Promise<void>
}

interface ExportWriter extends AsyncDisposable {
  write(text: string): Promise<void>
}
