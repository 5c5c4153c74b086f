import type { Tool } from '../../mcp/protocol/door.ts'
import type { Operation } from '../../operations/define.ts'

/** Annotations of a tool: what holds for any of its operations, as far as a caller may use them. */
export function hintsOf(operations: readonly Operation[]): Tool['annotations'] {
  return {
    readOnlyHint: operations.every(({ effect }) => effect === 'read'),
    destructiveHint: operations.some(isDestructive),
    idempotentHint: operations.every(isIdempotent),
    openWorldHint: false,
  }
}

/** Revoking ends what works, as deleting does; the rest of the acts can be taken back. */
export function isDestructive({ effect, action }: Operation): boolean {
  return effect === 'delete' || action === 'revoke'
}

/** Repeating the call changes nothing more. */
function isIdempotent({ idempotent, effect }: Operation): boolean {
  return idempotent ?? (effect === 'read' || effect === 'update' || effect === 'delete')
}
