import type { Tool } from '../../mcp/protocol/door.ts'
import { isIdempotent, type Operation } from '../../operations/engine/define.ts'

/** Annotations of a tool: what holds for any of its operations, as far as a caller may use them. */
export function hintsOf(operations: readonly Operation[]): Tool['annotations'] {
  return {
    readOnlyHint: operations.every(({ effect }) => effect === 'read'),
    destructiveHint: operations.some(({ effect, destroys }) => effect === 'delete' || destroys !== undefined),
    idempotentHint: operations.every(isIdempotent),
    openWorldHint: false,
  }
}

/** True for a call that ends what cannot be brought back. */
export function isDestructive(
  { effect, destroys }: Operation,
  input: Readonly<Record<string, unknown>>,
): boolean {
  return effect === 'delete' || destroys?.(input) === true
}
