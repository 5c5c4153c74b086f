import type { Compilable, CompiledQuery, Kysely } from 'kysely'

/**
 * One step of a schema. Steps are never changed once released; a later one follows. Each engine has its own statements. What reads and
 * writes rows is `run`, which every engine shares.
 */
export interface Migration {
  readonly version: number
  readonly name: string
  /**
   * The oldest version whose program may still open a store of this version, and write to it; absent where that is this version. Such
   * a program knows nothing of this step: whatever it writes must stay right.
   */
  readonly compatibleFrom?: number
  /** Statements of SQLite, run in one transaction with all of the step. */
  readonly sqlite: readonly string[]
  /** Likewise of PostgreSQL, in the schema of Postern; absent for what is always kept in files. */
  readonly postgres?: readonly string[]
  /** What statements cannot do, after them. @param db makes queries and runs none */
  readonly run?: (db: Kysely<object>) => DataStep
}

/**
 * A step over rows: it yields queries and gets their rows, so that an engine with or without promises can run it. It names the tables
 * as they are at that version, not those of today.
 */
type DataStep = Generator<CompiledQuery, void, readonly unknown[]>

/** Asks a query inside of a {@link DataStep}. */
export function* ask<Row>(
  query: Compilable<Row>,
): Generator<CompiledQuery, readonly Row[], readonly unknown[]> {
  // The rows are what the query selects
  return (yield query.compile()) as readonly Row[]
}

/** What a store says of its schema. */
export interface SchemaVersion {
  readonly version: number
  /** As {@link Migration.compatibleFrom}. */
  readonly compatibleFrom: number
}

/** Before the first step. */
export const NO_SCHEMA: SchemaVersion = { version: 0, compatibleFrom: 0 }

/** The newest version that a program with these steps knows. */
export function newestOf(steps: readonly Migration[]): number {
  return steps.at(-1)?.version ?? 0
}

/** The version of the first step: a program with these steps brings no store of an earlier one to its own. */
export function firstOf(steps: readonly Migration[]): number {
  return steps[0]?.version ?? 1
}

/** Whether a store has a version from before the first step, which was never released. */
export function isOfDevelopment(
  { version }: Pick<SchemaVersion, 'version'>,
  steps: readonly Migration[],
): boolean {
  return version > 0 && version < firstOf(steps)
}

/** Whether a program with these steps may open a store: one that it brings to its newest version, or a newer one that allows it. */
export function mayOpen({ compatibleFrom }: SchemaVersion, steps: readonly Migration[]): boolean {
  return compatibleFrom <= newestOf(steps)
}

/**
 * A statement that makes a table or an index in SQLite, as PostgreSQL reads it: whole numbers have eight bytes, texts compare by their
 * bytes. For statements of columns that are `text`, `integer` or `blob`, in lower case.
 */
export function toPostgres(statement: string): string {
  return statement
    .replace(/\) strict(, without rowid)?$/, ')')
    .replace(/ autoincrement\b/, '')
    .replace(/^(\s*["\w]+) integer\b/gm, '$1 bigint')
    .replace(/^(\s*["\w]+) text\b/gm, '$1 text collate "C"')
    .replace(/^(\s*["\w]+) blob\b/gm, '$1 bytea')
}
