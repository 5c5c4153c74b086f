import type { JsonObject, ResourceSchemas } from '../../build/document.ts'
import type { OperationRow } from '../api/use-call.ts'
import { resolve } from '../schema/fields.ts'
import { isObject } from '../schema/value.ts'
import { secretsOf } from './secrets.ts'

/** True if the answer of a write is only the resource as its page shows it: no secret, no warning, no result of its own. */
export function isTold(row: OperationRow, output: JsonObject, { actions, $defs }: ResourceSchemas): boolean {
  const shape = actions['get']?.output
  if (row.effect === 'read' || shape === undefined) return false
  const known = resolve(shape, $defs)['properties']
  if (!isObject(known) || secretsOf(output, actions[row.action]?.output, $defs).length > 0) return false
  return Object.entries(output).every(
    ([name, member]) =>
      name === 'pending' || (name === 'warnings' ? isEmpty(member) : Object.hasOwn(known, name)),
  )
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0
}
