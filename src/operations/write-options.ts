import { z } from 'zod'
import type { Operation, WriteOptions } from './define.ts'
import { toInputInvalid } from './errors.ts'

/** The safety that every write takes, as members on the wire. */
export const WriteOptionsInput = z.object({
  dry_run: z.boolean().optional().describe('Validate and answer the difference; store nothing'),
  expected_revision: z
    .int()
    .min(1)
    .optional()
    .describe('Refuse with revision_conflict unless the resource is at this revision'),
  idempotency_key: z
    .string()
    .regex(/^[!-~]{1,200}$/, '1 to 200 visible ASCII characters')
    .optional()
    .describe('Same key and same input within 24 h: the first answer again'),
  reason: z.string().max(2000, 'at most 2000 characters').optional().describe('Kept in the audit entry'),
  confirm: z.string().max(130).optional().describe('Slug of the resource, for what cannot be undone'),
  mode: z.enum(['live', 'draft']).optional().describe('draft stages the change of a published resource'),
})
type WriteOptionsInput = z.infer<typeof WriteOptionsInput>

export type WriteOptionName = keyof WriteOptionsInput

/** The options that this operation takes: all but those whose name its own input has. Reads take none. */
export function writeOptionNames(operation: Operation): readonly WriteOptionName[] {
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
