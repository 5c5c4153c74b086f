/**
 * The types that the contract and the path of a proxy give to its requests. Only what holds for every request that reaches
 * the workflow counts: the members of an object are known only if the schema allows no others.
 */
import type { ObjectSchema } from '@marcbachmann/cel-js'
import { isPlain, type Plain } from '../base/json/storable.ts'
import type { ProxySpec, ValidationMode } from '../model/api/proxy.ts'
import { parameterNames } from '../model/http-names.ts'

/** A type of CEL, or the members of an object. */
export type Shape = string | ObjectSchema

/** Types of members of the request of a trigger; absent where a run alone can tell. */
export type RequestTypes = Readonly<Record<string, Shape>>

/** Specs that were stored by earlier versions have not all members. */
type Described = Pick<ProxySpec, 'methods' | 'path'> &
  Partial<
    Pick<
      ProxySpec,
      | 'kind'
      | 'contracts'
      | 'request_schema'
      | 'request_schemas'
      | 'request_types'
      | 'request_required'
      | 'request_validation'
    >
  >

/**
 * The types of the requests of a proxy.
 * @param inherited how its collection has bodies checked
 * @param shared schemas of the collection by name, to which `#/$defs/<name>` leads
 */
export function requestTypesOf(spec: Described, inherited: ValidationMode, shared: Plain): RequestTypes {
  const { request_validation: own = 'inherit', path } = spec
  const mode = own === 'inherit' ? inherited : own
  const body = mode === 'enforce' && hasOneBody(spec) ? shapeOf(spec.request_schema, shared, 0) : 'dyn'
  const names = path.endsWith('/*') ? null : parameterNames(path)
  return {
    ...(body === 'dyn' ? {} : { body }),
    ...(names === null ? {} : { path_params: membersOf(names.map((name) => [name, 'string'])) }),
  }
}

const BODY_METHODS: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])
const JSON_TYPE = /^(?:application\/(?:[\w.+*-]+\+)?json|text\/json)$/

/** True if each request has a JSON body that conforms to the one schema. */
function hasOneBody({
  kind = 'http',
  methods,
  contracts = {},
  request_schemas = {},
  request_types = [],
  request_required = true,
}: Described): boolean {
  return (
    kind === 'http' &&
    request_required &&
    Object.keys(request_schemas).length === 0 &&
    Object.keys(contracts).length === 0 &&
    methods.every((method) => BODY_METHODS.has(method)) &&
    request_types.every((type) => JSON_TYPE.test(type.toLowerCase()))
  )
}

const DEPTH_MAX = 16
const SHARED = /^#\/\$defs\/([^/~%]+)$/
/** Types of JSON Schema that every value of the type has in CEL. A number may be of two kinds. */
const SCALARS: Readonly<Record<string, string>> = {
  string: 'string',
  boolean: 'bool',
  integer: 'int',
  array: 'list',
}
/** Beside these, a schema may allow more or less than its members say; `dyn` then. */
const OPEN = ['patternProperties', 'nullable', 'contentMediaType', '$dynamicRef', 'not', 'if'] as const
const COMBINED = ['allOf', 'anyOf', 'oneOf'] as const

function shapeOf(schema: unknown, shared: Plain, depth: number): Shape {
  if (!isPlain(schema) || depth > DEPTH_MAX) return 'dyn'
  if ([...OPEN, ...COMBINED].some((name) => Object.hasOwn(schema, name))) return 'dyn'
  const { $ref, type, properties, additionalProperties } = schema
  if ($ref !== undefined) {
    const [, name] = typeof $ref === 'string' ? (SHARED.exec($ref) ?? []) : []
    return name !== undefined && Object.hasOwn(shared, name)
      ? shapeOf(shared[name], shared, depth + 1)
      : 'dyn'
  }
  if (typeof type !== 'string') return 'dyn'
  if (Object.hasOwn(SCALARS, type)) return SCALARS[type]!
  if (type !== 'object') return 'dyn'
  if (additionalProperties !== false || !isPlain(properties)) return 'map'
  return membersOf(
    Object.entries(properties).map(([name, member]) => [name, shapeOf(member, shared, depth + 1)]),
  )
}

const NAME = /^(?!__proto__$)[A-Za-z_]\w*$/

/** An object with these members and no others; any object for names that no expression could write after a period. */
export function membersOf(members: readonly (readonly [string, Shape])[]): Shape {
  return members.every(([name]) => NAME.test(name)) ? Object.fromEntries(members) : 'dyn'
}
