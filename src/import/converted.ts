import type { Plain } from '../base/json/storable.ts'

/** A document of the configuration as code. */
export interface MadeDocument {
  readonly kind: string
  readonly slug: string
  readonly spec: Plain
}

export const REPORT_RESULTS = ['kept', 'different', 'closed', 'left_out'] as const

/** What became of one part of the configuration of another program. */
export interface ReportRow {
  /** What it is there, such as `service`. */
  readonly part: string
  /** Empty for all parts of the kind. */
  readonly name: string
  /** `closed`: it is there and answers nobody until a person publishes it or switches it on. */
  readonly result: (typeof REPORT_RESULTS)[number]
  /** What it becomes, or why it does not. */
  readonly reason: string
}

/** A key that callers send, and the profile that it is to be a token of. */
export interface MadeKey {
  /** Slug of the client and of its profile. */
  readonly client: string
  readonly profile: string
  /** Name of the client. */
  readonly clientName: string
  /** What the report calls it; nothing of the key. */
  readonly name: string
  /** A secret: it leaves the conversion for the operation that imports it alone. */
  readonly text: string
}

/** What a configuration of another program becomes. */
export interface Converted {
  readonly documents: readonly MadeDocument[]
  /** Sentences about what is not taken over, or taken over in another way. */
  readonly notes: readonly string[]
  /** One row for each part, in the order of the document; absent where the notes say all. */
  readonly report?: readonly ReportRow[]
  /** Keys of callers, which stand in no document. */
  readonly keys?: readonly MadeKey[]
  /** Entries for the file of `postern runner`, by name: servers that are programs. */
  readonly runner?: Readonly<Record<string, Plain>>
  /** False where something was left out, closed or made different. */
  readonly exact: boolean
}
