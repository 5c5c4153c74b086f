import type { z } from 'zod'
import { linearPattern } from '../../../base/linear-pattern.ts'
import { isPlain, type Plain } from '../../../base/plain.ts'
import { pointerTo } from '../../../base/pointer.ts'
import type { Parameter } from '../../../model/proxy.ts'
import type { ReadPath } from './paths.ts'
import { broken } from './plain.ts'
import { localTokens, lookUp } from './pointer.ts'
import { resolve } from './resolve.ts'
import type { Warn } from './warnings.ts'

type ParameterInput = z.input<typeof Parameter>

const PLACES = ['path', 'query', 'header', 'cookie'] as const
const TYPES = ['string', 'integer', 'number', 'boolean', 'array', 'object'] as const
const PARAMETERS_MAX = 200
const NOT_LINEAR = 'it is broken, too large, or needs look-around or back references'
/** In one list of the description. */
const LISTED_MAX = 1000
const TEXT_MAX = 20_000
/** OpenAPI 3.1 section 4.8.12.1: described elsewhere, and not parameters. */
const IGNORED_HEADERS = new Set(['accept', 'content-type', 'authorization'])

/** A list of parameters in the description. */
export interface ParameterList {
  readonly value: unknown
  readonly pointer: string
}

/**
 * Parameters of an operation: those of the path item, then its own, which replace by place and name. Every parameter
 * in the pattern is among the result, described or not.
 */
export function takeParameters(
  document: Plain,
  lists: readonly ParameterList[],
  path: ReadPath,
  warn: Warn,
): ParameterInput[] {
  const merged = new Map<string, ParameterInput>()
  for (const list of lists) {
    const own = new Set<string>()
    for (const { parameter, pointer } of readList(document, list, warn)) {
      const key = `${parameter.in} ${parameter.in === 'header' ? parameter.name.toLowerCase() : parameter.name}`
      if (own.has(key))
        warn(pointer, `parameter "${parameter.name.slice(0, 80)}" stands twice; the first is kept`)
      else merged.set(key, parameter)
      own.add(key)
    }
  }
  const kept: ParameterInput[] = []
  const described = new Set<string>()
  for (const parameter of merged.values()) {
    if (parameter.in === 'path') {
      const ours = path.names.get(parameter.name)
      if (typeof ours !== 'string') {
        if (ours === undefined)
          warn(
            lists.at(-1)?.pointer ?? '',
            `path parameter "${parameter.name.slice(0, 80)}" is not in the path; left out`,
          )
        continue
      }
      described.add(ours)
      kept.push({ ...parameter, name: ours, required: true })
    } else if (parameter.in !== 'header' || !IGNORED_HEADERS.has(parameter.name.toLowerCase()))
      kept.push(parameter)
  }
  for (const ours of path.names.values())
    if (ours !== null && !described.has(ours)) kept.push({ name: ours, in: 'path', required: true })
  return bounded(kept, lists.at(-1)?.pointer ?? '', warn)
}

function bounded(parameters: ParameterInput[], pointer: string, warn: Warn): ParameterInput[] {
  const usable = parameters.filter(({ name }) => name.length <= 256)
  if (usable.length < parameters.length)
    warn(pointer, 'parameters with names over 256 characters are left out')
  if (usable.length <= PARAMETERS_MAX) return usable
  warn(pointer, `more than ${PARAMETERS_MAX} parameters; the rest is left out`)
  const required = usable.filter((parameter) => parameter.required)
  return [...required, ...usable.filter((parameter) => !parameter.required)].slice(0, PARAMETERS_MAX)
}

function readList(
  document: Plain,
  { value, pointer }: ParameterList,
  warn: Warn,
): { parameter: ParameterInput; pointer: string }[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw broken(pointer, 'a list of parameters')
  if (value.length > LISTED_MAX) throw broken(pointer, `more than ${LISTED_MAX} parameters`)
  return value.map((item, index) => {
    const found = resolve(document, item, pointerTo(pointer, index), 'a parameter')
    return { parameter: readParameter(document, found.value, found.pointer, warn), pointer: found.pointer }
  })
}

function readParameter(document: Plain, value: Plain, pointer: string, warn: Warn): ParameterInput {
  const name = value['name']
  if (typeof name !== 'string' || name === '')
    throw broken(pointerTo(pointer, 'name'), 'a parameter has a name')
  const place = PLACES.find((item) => item === value['in'])
  if (place === undefined)
    throw broken(pointerTo(pointer, 'in'), 'a parameter is in path, query, header or cookie')
  const schema = schemaOf(document, value)
  const parameter: ParameterInput = { name, in: place, type: typeOf(schema) }
  if (value['required'] === true) parameter.required = true
  const description = value['description'] ?? schema['description']
  if (typeof description === 'string') parameter.description = description.slice(0, TEXT_MAX)
  // Parts of a document that is plain JSON.
  if (schema['default'] !== undefined) parameter.default = schema['default'] as ParameterInput['default']
  if (Array.isArray(schema['enum']) && schema['enum'].length <= 2000)
    parameter.enum = schema['enum'] as ParameterInput['enum']
  else if (schema['const'] !== undefined) parameter.enum = [schema['const']] as ParameterInput['enum']
  const { pattern, minimum, maximum } = schema
  if (typeof pattern === 'string') {
    if (pattern.length <= 4096 && linearPattern(pattern) !== null) parameter.pattern = pattern
    else warn(pointer, `the pattern of parameter "${name.slice(0, 80)}" is left out: ${NOT_LINEAR}`)
  }
  if (parameter.type !== 'integer' && parameter.type !== 'number') return parameter
  if (typeof minimum === 'number') parameter.min = minimum
  if (typeof maximum === 'number') parameter.max = maximum
  return parameter
}

/** The schema that says type and bounds: references followed, and a wrapper with one meaning looked into. */
function schemaOf(document: Plain, parameter: Plain): Plain {
  const content = isPlain(parameter['content']) ? Object.values(parameter['content'])[0] : undefined
  let schema: unknown = parameter['schema'] ?? (isPlain(content) ? content['schema'] : undefined)
  let outer: Plain = {}
  for (let hops = 0; hops < 8 && isPlain(schema); hops++) {
    outer = { ...schema, ...outer }
    const inner = innerOf(document, schema)
    if (inner === undefined) break
    schema = inner
  }
  return outer
}

function innerOf(document: Plain, schema: Plain): unknown {
  if (typeof schema['$ref'] === 'string') {
    const tokens = localTokens(schema['$ref'])
    return tokens === null ? undefined : lookUp(document, tokens)
  }
  for (const keyword of ['allOf', 'anyOf', 'oneOf']) {
    const list = schema[keyword]
    if (!Array.isArray(list)) continue
    const real = list.filter((item) => isPlain(item) && item['type'] !== 'null')
    if (real.length > 0 && (real.length === 1 || keyword === 'allOf')) return real[0]
  }
  return undefined
}

function typeOf(schema: Plain): (typeof TYPES)[number] {
  const types: unknown[] = Array.isArray(schema['type']) ? schema['type'] : [schema['type']]
  const type = TYPES.find((item) => types.includes(item))
  if (type !== undefined) return type
  return isPlain(schema['properties']) ? 'object' : 'string'
}
