import type { DatabaseSync } from 'node:sqlite'

/** One step of a schema. Steps are never changed once released; a later one follows. */
export interface Migration {
  readonly version: number
  readonly name: string
  /** Statements, run in one transaction. */
  readonly statements: readonly string[]
  /** What statements cannot do, after them in the same transaction. */
  readonly finish?: (database: DatabaseSync) => void
}
