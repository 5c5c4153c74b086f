import { z } from 'zod'
import { toInputInvalid } from '../../base/field-errors.ts'
import type { AuditEntry } from '../../model/audit.ts'
import type { Surface } from '../../model/record.ts'

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
}

/** What an AI agent says about itself; declared, never trusted. */
interface Agent {
  readonly name: string | null
  readonly version: string | null
  readonly sessionId: string | null
  readonly conversationId: string | null
}

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

/** What every surface projects. */
export interface Invoked {
  /** 201 for create (and a put that created), 202 for what waits for another person, else 200. */
  readonly status: 200 | 201 | 202
  readonly output: Record<string, unknown>
  /** Revision of the resource, for the ETag; null where there is none. */
  readonly revision: number | null
  /** Revision of the whole configuration after a change; null for reads. */
  readonly configRevision: number | null
  /** A gateway thread has not confirmed the change in time; it will hold shortly. */
  readonly pending: boolean
  /** Of a dry run: JSON patch with old values, secrets as "changed". */
  readonly diff: readonly DiffEntry[] | null
  /** Of a dry run: names of the rules by which it would wait for another person. */
  readonly approval?: readonly string[]
  /** In the place of the output, of operations that answer bytes. */
  readonly content?: Content
}

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

/** Members of an answer that are shown once, where `revealsOnce` of its operation says that it has such. */
export const SHOWN_ONCE: ReadonlySet<string> = new Set([
  'token',
  'signing_secret',
  'set_up_url',
  'client_secret',
])

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
    .describe('Slug of the resource, required for changes that cannot be undone'),
  mode: z
    .enum(['live', 'draft'])
    .optional()
    .describe('draft: stores the change of a published resource as a pending draft'),
})
type WriteOptionsInput = z.infer<typeof WriteOptionsInput>

export type WriteOptionName = keyof WriteOptionsInput

/** The options that this operation takes: all but those whose name its own input has. Reads take none. */
export function writeOptionNames(operation: {
  readonly effect: string
  readonly input: z.ZodObject
}): readonly WriteOptionName[] {
  if (operation.effect === 'read') return []
  return WriteOptionsInput.keyof().options.filter((name) => !Object.hasOwn(operation.input.shape, name))
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

/** The inverse of {@link toWriteOptions}. */
export function fromWriteOptions(options: WriteOptions): WriteOptionsInput {
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
