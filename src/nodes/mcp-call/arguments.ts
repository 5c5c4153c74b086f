/** Checks the arguments of a tool that are the same in every run against its input schema. */
import { isPlain, type Plain, pointerTo } from '../../base/json/plain.ts'
import type { FieldError } from '../../base/refusal.ts'
import type { JsonSchema } from '../../model/api/proxy.ts'
import { createSchemaJudges } from '../../snapshot/schema/judge.ts'

const DEPTH_MAX = 32
/** Members of a schema that its parts may point into. */
const SHARED = ['$schema', '$defs', 'definitions'] as const

/**
 * Faults of arguments that are known before a run: missing and unknown names, and values without expressions that do not fit.
 * @param schema input schema of the tool as its origin lists it; one that cannot be used finds nothing
 * @param given with expressions in texts; undefined for none
 */
export function argumentFaults(schema: unknown, given: unknown): readonly FieldError[] {
  const value = given ?? {}
  if (typeof value === 'string' && value.includes('{{')) return []
  if (!isPlain(value)) return [{ pointer: '', reason: 'must be an object' }]
  if (!isPlain(schema)) return []
  if (!isComputed(value)) return judged(schema, value)
  const { required, properties, additionalProperties, patternProperties } = schema
  const known = isPlain(properties) ? properties : {}
  const missing = (Array.isArray(required) ? required : []).filter(
    (name): name is string => typeof name === 'string' && !Object.hasOwn(value, name),
  )
  const isClosed = additionalProperties === false && patternProperties === undefined
  return [
    ...missing.map((name) => ({ pointer: pointerTo('', name), reason: 'is required' })),
    ...Object.entries(value).flatMap(([name, member]): readonly FieldError[] => {
      if (!Object.hasOwn(known, name))
        return isClosed ? [{ pointer: pointerTo('', name), reason: 'is no argument of the tool' }] : []
      return isComputed(member) ? [] : memberFaults(schema, known[name], name, member)
    }),
  ]
}

function memberFaults(schema: Plain, part: unknown, name: string, value: unknown): readonly FieldError[] {
  const shared = SHARED.filter((member) => Object.hasOwn(schema, member)).map((member) => [
    member,
    schema[member],
  ])
  return judged({ ...Object.fromEntries(shared), properties: { [name]: part } }, { [name]: value })
}

function judged(schema: Plain, value: Plain): readonly FieldError[] {
  try {
    return createSchemaJudges({}, true).of(schema as JsonSchema, 'request')(value) ?? []
  } catch {
    // It comes from a server, and is judged again in each run
    return []
  }
}

/** True for a value with an expression in it. */
function isComputed(value: unknown, depth = 0): boolean {
  if (typeof value === 'string') return value.includes('{{')
  if (value === null || typeof value !== 'object') return false
  if (depth > DEPTH_MAX) return true
  return Object.values(value).some((member) => isComputed(member, depth + 1))
}
