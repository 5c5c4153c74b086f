import type { z } from 'zod'

type Schema = z.core.$ZodType

/** Schemas that one walk looks at. */
const SCHEMAS_MAX = 1000

/** Names of the members that a schema has at a path: of a union those of all branches. It loads no schema library. */
export function membersAt(schema: Schema, path: readonly PropertyKey[]): readonly string[] {
  let at: readonly Schema[] = alternatives([schema])
  for (const step of path) at = alternatives(at.flatMap((one) => below(one, step)))
  const names = at.flatMap((one) => {
    const { def } = (one as z.core.$ZodTypes)._zod
    return def.type === 'object' ? Object.keys(def.shape) : []
  })
  return [...new Set(names)]
}

function below(schema: Schema, step: PropertyKey): readonly Schema[] {
  const { def } = (schema as z.core.$ZodTypes)._zod
  if (def.type === 'array') return [def.element]
  if (def.type === 'record') return [def.valueType]
  if (def.type !== 'object') return []
  const member = Object.hasOwn(def.shape, step) ? def.shape[String(step)] : undefined
  return member === undefined ? [] : [member]
}

/** The schemas without what wraps them, and the branches of unions. */
function alternatives(schemas: readonly Schema[]): readonly Schema[] {
  const open = [...schemas]
  const found = new Set<Schema>()
  for (let count = 0; open.length > 0 && count < SCHEMAS_MAX; count++) {
    const schema = open.pop()!
    const { def } = (schema as z.core.$ZodTypes)._zod
    switch (def.type) {
      case 'optional':
      case 'nullable':
      case 'default':
      case 'prefault':
      case 'nonoptional':
      case 'readonly':
      case 'catch':
        open.push(def.innerType)
        break
      case 'pipe':
        open.push(def.in)
        break
      case 'lazy':
        open.push(def.getter())
        break
      case 'union':
        open.push(...def.options)
        break
      case 'intersection':
        open.push(def.left, def.right)
        break
      default:
        found.add(schema)
    }
  }
  return [...found]
}
