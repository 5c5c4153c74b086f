import type { Resource } from '../store/ports/config.ts'
import type { OperationContext } from './context.ts'
import { createOf, getOf, listOf, putOf, updateOf } from './crud.ts'
import { deleteOf } from './delete-resource.ts'
import type { Kind } from './kind.ts'

/** The operations that every kind has, by action. `detach` as of {@link deleteOf}. */
export function standardOf(
  kind: Kind,
  detach?: (resource: Resource, context: OperationContext) => Promise<void>,
) {
  return {
    list: listOf(kind),
    get: getOf(kind),
    create: createOf(kind),
    update: updateOf(kind),
    put: putOf(kind),
    delete: deleteOf(kind, detach),
  }
}
