import type { Compilable, CompiledQuery, Kysely } from 'kysely'

/**
 * One step of a schema. Steps are never changed once released; a later one follows. Each engine has its own statements. What reads and
 * writes rows is `run`, which every engine shares.
 */
export interface Migration {
  readonly version: number
  readonly name: string
  /** Statements of SQLite, run in one transaction with all of the step. */
  readonly sqlite: readonly string[]
  /** What statements cannot do, after them. @param db makes queries and runs none */
  readonly run?: (db: Kysely<object>) => DataStep
}

/**
 * A step over rows: it yields queries and gets their rows, so that an engine with or without promises can run it. It names the tables
 * as they are at that version, not those of today.
 */
export type DataStep = Generator<CompiledQuery, void, readonly unknown[]>

/** Asks a query inside of a {@link DataStep}. */
export function* ask<Row>(
  query: Compilable<Row>,
): Generator<CompiledQuery, readonly Row[], readonly unknown[]> {
  // The rows are what the query selects
  return (yield query.compile()) as readonly Row[]
}
