import type { Resource } from '../store/ports/config.ts'
import type { OperationContext } from './context.ts'
import { createOf, getOf, listOf, putOf, updateOf } from './crud.ts'
import type { Operation } from './define.ts'
import { deleteOf } from './delete-resource.ts'
import type { Kind } from './kind.ts'

/** The operations of a kind that needs no more than these. `detach` as of {@link deleteOf}. */
export function standardOf(
  kind: Kind,
  detach?: (resource: Resource, context: OperationContext) => Promise<void>,
): readonly Operation[] {
  return [listOf(kind), getOf(kind), createOf(kind), updateOf(kind), putOf(kind), deleteOf(kind, detach)]
}
