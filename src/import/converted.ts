import type { Plain } from '../base/json/storable.ts'

/** A document of the configuration as code. */
export interface MadeDocument {
  readonly kind: string
  readonly slug: string
  readonly spec: Plain
}

/** What a configuration of another program becomes. */
export interface Converted {
  readonly documents: readonly MadeDocument[]
  /** Sentences about what is not taken over, or taken over in another way. */
  readonly notes: readonly string[]
  /** Entries for the file of `postern runner`, by name: servers that are programs. */
  readonly runner?: Readonly<Record<string, Plain>>
  /** False where something was left out, closed or made different. */
  readonly exact: boolean
}
