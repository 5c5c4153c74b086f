/** One step of a schema. Steps are never changed once released; a later one follows. */
export interface Migration {
  readonly version: number
  readonly name: string
  /** Statements, run in one transaction. */
  readonly statements: readonly string[]
}
