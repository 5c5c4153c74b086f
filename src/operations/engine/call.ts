import { z } from 'zod'
import { toInputInvalid } from '../../base/json/fault.ts'
import type { AuditEntry } from '../../model/access/audit.ts'
import type { Surface } from '../../model/record.ts'
import type { DiffEntry, WriteOptions } from './write-options.ts'

/** Bytes of the JSON of an input. */
export const INPUT_BYTES_MAX = 1024 ** 2
/** Of operations that take whole API descriptions, or thousands of resources. */
export const LARGE_INPUT_BYTES_MAX = 64 * 1024 ** 2

/** How a call came in: the only thing by which two audit entries of the same change differ. */
export interface Via {
  readonly surface: Surface
  readonly requestId: string
  readonly ip: string | null
  readonly userAgent: string | null
  readonly http: { readonly method: string; readonly url: string } | null
  readonly agent: Agent | null
  /** Who approved the call, where it was held until somebody did. */
  readonly approver?: AuditEntry['approver']
  /** Aborted when the caller has left; absent where that is not known. */
  readonly left?: AbortSignal
}

/** What an AI agent says about itself; declared, never trusted. */
interface Agent {
  readonly name: string | null
  readonly version: string | null
  readonly sessionId: string | null
  readonly conversationId: string | null
}

/** What every surface projects. */
export interface Invoked {
  /** 201 for create (and a put that created), 202 for what waits for another person, else 200. */
  readonly status: 200 | 201 | 202
  readonly output: Record<string, unknown>
  /** Revision of the resource, for the ETag; null where there is none. */
  readonly revision: number | null
  /** Revision of the whole configuration after a change; null for reads. */
  readonly configRevision: number | null
  /** A gateway thread, or another node, has not confirmed the change in time; it will hold shortly. */
  readonly pending: boolean
  /** Names of these nodes; absent for none. */
  readonly pendingNodes?: readonly string[]
  /** Of a dry run: JSON patch with old values, secrets as "changed". */
  readonly diff: readonly DiffEntry[] | null
  /** Of a dry run: names of the rules by which it would wait for another person. */
  readonly approval?: readonly string[]
  /** In the place of the output, of operations that answer bytes. */
  readonly content?: Content
}

/** What surfaces add to an answer whose change is not in force everywhere yet: names of nodes only where other nodes are late. */
export function pendingMembers({ pending, pendingNodes = [] }: Pick<Invoked, 'pending' | 'pendingNodes'>): {
  readonly pending?: true
  readonly pending_nodes?: readonly string[]
} {
  if (!pending) return {}
  return { pending: true, ...(pendingNodes.length > 0 && { pending_nodes: pendingNodes }) }
}

/** What an operation is about, for the audit entry. */
export interface Subject {
  readonly type: string
  readonly id: string | null
  readonly slug: string | null
  readonly collection?: string | null
}

/** Bytes that an operation answers. */
export interface Content {
  readonly mediaType: string
  /** As which a browser keeps them: visible ASCII without quotes. */
  readonly fileName: string
  readonly bytes: number
  /** Nothing is held open before it is read. */
  readonly stream: ReadableStream<Uint8Array>
}

/** The safety that every write takes, as members on the wire. */
export const WriteOptionsInput = z.object({
  dry_run: z.boolean().optional().describe('Validate and return the difference; store nothing'),
  expected_revision: z
    .int()
    .min(1)
    .optional()
    .describe('Expected revision; if the resource has another one, the change fails with revision_conflict'),
  idempotency_key: z
    .string()
    .regex(/^[!-~]{1,200}$/, '1 to 200 visible ASCII characters')
    .optional()
    .describe('A repeated request with the same key and input within 24 h returns the first response'),
  reason: z
    .string()
    .max(2000, 'at most 2000 characters')
    .optional()
    .describe('Reason, stored in the audit entry'),
  confirm: z
    .string()
    .max(130)
    .optional()
    .describe(
      'Slug of the resource, required for changes that cannot be undone. For a rollback the number of the revision, for a replay the id of the record',
    ),
  mode: z
    .enum(['live', 'draft'])
    .optional()
    .describe('draft: stores the change of a published resource as a pending draft'),
})

export type WriteOptionName = keyof z.infer<typeof WriteOptionsInput>

/** The options that this operation takes: all but those whose name its own input has, and those it is `without`. Reads take none. */
export function writeOptionNames(operation: {
  readonly effect: string
  readonly input: z.ZodObject
  readonly without?: readonly WriteOptionName[]
}): readonly WriteOptionName[] {
  if (operation.effect === 'read') return []
  const { input, without = [] } = operation
  return WriteOptionsInput.keyof().options.filter(
    (name) => !Object.hasOwn(input.shape, name) && !without.includes(name),
  )
}

/**
 * Options out of loose members. Refuses with input_invalid when one has the wrong form.
 * @param given Only names of {@link writeOptionNames}.
 */
export function toWriteOptions(given: Readonly<Record<string, unknown>>): WriteOptions {
  const parsed = WriteOptionsInput.safeParse(given)
  if (!parsed.success) throw toInputInvalid(parsed.error)
  const { dry_run, expected_revision, idempotency_key, reason, confirm, mode } = parsed.data
  return {
    ...(dry_run !== undefined && { dryRun: dry_run }),
    ...(expected_revision !== undefined && { expectedRevision: expected_revision }),
    ...(idempotency_key !== undefined && { idempotencyKey: idempotency_key }),
    ...(reason !== undefined && { reason }),
    ...(confirm !== undefined && { confirm }),
    ...(mode !== undefined && { mode }),
  }
}
