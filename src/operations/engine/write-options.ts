/**
 * The options of a write, the differences that a dry run answers, and the names of secrets that an answer shows once, without a
 * schema: clients in a browser load this module, and commands that call no instance. It imports nothing.
 */

/** Safety that every write takes, on every surface, beside its own input. */
export interface WriteOptions {
  /** Validate and return the difference; store nothing. */
  readonly dryRun?: boolean
  /** Refuse with revision_conflict unless the resource is at this revision. */
  readonly expectedRevision?: number
  /** Same key and same input within 24 h: the first answer again. */
  readonly idempotencyKey?: string
  /** Kept in the audit entry. */
  readonly reason?: string
  /** Slug of the resource, for what cannot be undone. */
  readonly confirm?: string
  /** `draft` stages the change of a published resource until it is published. */
  readonly mode?: 'live' | 'draft'
}

/** The options as members on the wire. */
type WriteOptionMembers = {
  readonly dry_run?: boolean
  readonly expected_revision?: number
  readonly idempotency_key?: string
  readonly reason?: string
  readonly confirm?: string
  readonly mode?: 'live' | 'draft'
}

/** The options as members on the wire; `toWriteOptions` of `call.ts` is the inverse. */
export function fromWriteOptions(options: WriteOptions): WriteOptionMembers {
  const { dryRun, expectedRevision, idempotencyKey, reason, confirm, mode } = options
  return {
    ...(dryRun !== undefined && { dry_run: dryRun }),
    ...(expectedRevision !== undefined && { expected_revision: expectedRevision }),
    ...(idempotencyKey !== undefined && { idempotency_key: idempotencyKey }),
    ...(reason !== undefined && { reason }),
    ...(confirm !== undefined && { confirm }),
    ...(mode !== undefined && { mode }),
  }
}

/** An entry of the difference that a dry run answers: JSON patch (RFC 6902) with the value before. */
export interface DiffEntry {
  readonly op: 'add' | 'remove' | 'replace'
  readonly path: string
  readonly from?: unknown
  readonly value?: unknown
  /** Identity of the item of a list in which the difference lies. */
  readonly item?: string
  /** Of a long text in a review: number of the first line. */
  readonly line?: number
  /** Of a text that stands in several entries of a review: `2/3`. */
  readonly part?: string
}

/** What a table shows of a difference; the command line prints a line for each in its place. */
export const DIFF_COLUMNS = ['op', 'path', 'item', 'from', 'value']

/** Members of an answer that are shown once, where `revealsOnce` of its operation says that it has such. */
export const SHOWN_ONCE: ReadonlySet<string> = new Set([
  'token',
  'signing_secret',
  'set_up_url',
  'client_secret',
])
