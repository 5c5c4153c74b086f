import type { FunctionType } from './evaluation.ts'
import { LIST_FUNCTIONS } from './lists.ts'
import { TIME_FUNCTIONS } from './times.ts'
import { CODING_FUNCTIONS, NUMBER_FUNCTIONS, OBJECT_FUNCTIONS, TEXT_FUNCTIONS } from './values.ts'

/** Functions of expressions that give values, beyond those of conditions. A name with a dot is in the namespace before it. */
export const VALUE_FUNCTIONS: Readonly<Record<string, FunctionType>> = {
  ...TEXT_FUNCTIONS,
  ...NUMBER_FUNCTIONS,
  ...LIST_FUNCTIONS,
  ...OBJECT_FUNCTIONS,
  ...TIME_FUNCTIONS,
  ...CODING_FUNCTIONS,
}

/** Names before the dot of functions. A variable of the same name hides the functions. */
export const NAMESPACES: readonly string[] = [
  ...new Set(
    Object.keys(VALUE_FUNCTIONS).flatMap((name) => (name.includes('.') ? [name.split('.')[0]!] : [])),
  ),
]
