import type { Finding, WorkflowDefinition } from '../../model/workflow.ts'
import { referencesOf, validateDefinition } from '../../nodes/validate.ts'
import type { OperationContext } from '../engine/context.ts'
import { findRef } from '../engine/refs.ts'

/** What is wrong with a definition, as far as its reader may see what it refers to. */
export async function findingsOf(
  definition: WorkflowDefinition,
  { reader }: OperationContext,
): Promise<Finding[]> {
  const known = new Set<string>()
  for (const { type, ref } of referencesOf(definition))
    if (ref.length <= 130 && (await findRef(reader, type, ref)) !== undefined) known.add(`${type} ${ref}`)
  return validateDefinition(definition, { has: (type, ref) => known.has(`${type} ${ref}`) })
}
