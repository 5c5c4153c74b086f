import { isPlain, type Plain } from '../../base/plain.ts'
import { pointerTo } from '../../base/pointer.ts'
import type { FieldError } from '../../base/refusal.ts'
import type { CollectionSpec } from '../../model/collection.ts'
import type { HttpMethod } from '../../model/http-method.ts'
import type { JsonSchema, Parameter, ProxySpec } from '../../model/proxy.ts'

type Contract = Pick<
  ProxySpec,
  | 'parameters'
  | 'request_schema'
  | 'request_schemas'
  | 'request_types'
  | 'request_required'
  | 'response_schema'
  | 'request_example'
  | 'response_example'
>

/** What is described. */
interface Described {
  readonly collection: CollectionSpec
  readonly version: string
  /** Where it is served: the base path at the gateway, or the upstream. */
  readonly server: string
  readonly proxies: readonly (ProxySpec & { readonly slug: string })[]
  /** Shared schemas, to which contracts refer by `#/$defs/<name>`. */
  readonly schemas: Readonly<Record<string, JsonSchema>>
}

/** Name of the parameter that stands for the rest of a path; the import takes it for that again. */
const REST = 'rest*'

/** An OpenAPI 3.1 document of published proxies, and what it does not tell. Pure and deterministic. */
export function toDocument({ collection, version, server, proxies, schemas }: Described): {
  readonly document: Plain
  readonly warnings: readonly FieldError[]
} {
  const paths: Record<string, Record<string, unknown>> = {}
  const warnings: FieldError[] = []
  const firsts = new Map<string, string>()
  const ids = new Set<string>()
  for (const proxy of proxies) {
    const rest = proxy.path.endsWith('/*') ? `${proxy.path.slice(0, -1)}{${REST}}` : proxy.path
    // OpenAPI knows two paths that differ in names of parameters alone as one.
    const shape = rest.replace(/\{[^}]*\}/g, '{}')
    const path = firsts.get(shape) ?? rest
    firsts.set(shape, path)
    const names = new Map(namesIn(rest).map((name, index) => [name, namesIn(path)[index]!]))
    const item = paths[path] ?? {}
    paths[path] = item
    for (const method of proxy.methods) {
      const contract: Contract = { ...proxy, ...defined(proxy.contracts[method] ?? {}) }
      const operationId = idOf(proxy, method, ids)
      ids.add(operationId)
      item[method.toLowerCase()] = { operationId, ...operationOf(proxy, contract, names) }
    }
    for (const reason of untold(proxy)) warnings.push({ pointer: pointerTo('/paths', path), reason })
  }
  const shared = Object.entries(schemas).map(([name, schema]) => [name, withComponents(schema)])
  return {
    document: {
      openapi: '3.1.0',
      info: { title: collection.name, version, description: collection.description },
      servers: [{ url: server }],
      paths,
      ...(shared.length === 0 ? {} : { components: { schemas: Object.fromEntries(shared) } }),
    },
    warnings,
  }
}

function namesIn(path: string): string[] {
  return [...path.matchAll(/\{([^}]*)\}/g)].map((match) => match[1]!)
}

function defined(part: object): Partial<Contract> {
  return Object.fromEntries(Object.entries(part).filter(([, value]) => value !== undefined))
}

/** One id stands for one operation. */
function idOf(
  proxy: ProxySpec & { readonly slug: string },
  method: HttpMethod,
  taken: ReadonlySet<string>,
): string {
  const own = proxy.operation_id ?? proxy.slug
  if (proxy.methods.length === 1 && !taken.has(own)) return own
  const byMethod = `${proxy.slug}-${method.toLowerCase()}`
  return taken.has(byMethod) ? `${byMethod}-${taken.size}` : byMethod
}

function operationOf(proxy: ProxySpec, contract: Contract, names: ReadonlyMap<string, string>): Plain {
  const described = contract.parameters.map((parameter) => toParameter(parameter, names))
  const missing = [...names.values()].filter(
    (name) => !described.some((one) => one['in'] === 'path' && one['name'] === name),
  )
  const parameters = [
    ...described,
    ...missing.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
  ]
  const body = requestBodyOf(contract)
  return {
    summary: proxy.name,
    ...(proxy.description === '' ? {} : { description: proxy.description }),
    ...(proxy.tags.length === 0 ? {} : { tags: proxy.tags }),
    ...(proxy.deprecated ? { deprecated: true } : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === null ? {} : { requestBody: body }),
    responses: { 200: responseOf(contract) },
  }
}

function toParameter(parameter: Parameter, names: ReadonlyMap<string, string>): Plain {
  const { name, in: place, required, description, type, enum: values, pattern, min, max } = parameter
  const own = parameter.schema === undefined ? undefined : withComponents(parameter.schema)
  const schema = own ?? {
    type,
    ...(values === undefined ? {} : { enum: values }),
    ...(pattern === undefined ? {} : { pattern }),
    ...(min === undefined ? {} : { minimum: min }),
    ...(max === undefined ? {} : { maximum: max }),
    ...(parameter.default === undefined ? {} : { default: parameter.default }),
  }
  const isPath = place === 'path'
  return {
    name: isPath ? (names.get(name) ?? name) : name,
    in: place,
    ...(isPath || required ? { required: true } : {}),
    ...(description === '' ? {} : { description }),
    ...(parameter.allow_empty === true ? { allowEmptyValue: true } : {}),
    ...(parameter.style === undefined ? {} : { style: parameter.style }),
    ...(parameter.explode === undefined ? {} : { explode: parameter.explode }),
    ...(parameter.content_type === undefined
      ? { schema }
      : { content: { [parameter.content_type]: { schema } } }),
  }
}

function requestBodyOf(contract: Contract): Plain | null {
  const { request_schema: schema, request_types, request_example: example } = contract
  if (schema === null && request_types.length === 0) return null
  const types = request_types.length === 0 ? ['application/json'] : request_types
  const media = (type: string): Plain => {
    const own = contract.request_schemas?.[type] ?? schema
    return {
      ...(own === null ? {} : { schema: withComponents(own) }),
      ...(example === undefined ? {} : { example }),
    }
  }
  return {
    ...(contract.request_required ? { required: true } : {}),
    content: Object.fromEntries(types.map((type) => [type, media(type)])),
  }
}

function responseOf({ response_schema: schema, response_example: example }: Contract): Plain {
  const description = 'Success'
  if (schema === null && example === undefined) return { description }
  const media = {
    ...(schema === null ? {} : { schema: withComponents(schema) }),
    ...(example === undefined ? {} : { example }),
  }
  return { description, content: { 'application/json': media } }
}

/** What of a proxy a description cannot say. */
function untold(proxy: ProxySpec): string[] {
  return [
    ...(proxy.kind === 'http' ? [] : [`${proxy.slug} is of kind ${proxy.kind}`]),
    ...(proxy.target_path === null || proxy.target_path === proxy.path
      ? []
      : [`at the upstream its path is ${proxy.target_path}`]),
  ]
}

/** Keywords whose members are names of schemas. */
const MAPS = new Set(['properties', 'patternProperties', 'dependentSchemas', '$defs'])
/** Keywords whose value is data: a member `$ref` in it is no reference. */
const DATA = new Set(['default', 'const', 'enum', 'examples'])
const SHARED = '#/$defs/'

/** A schema whose references to the shared set point at the components of a document. */
function withComponents(schema: JsonSchema): unknown {
  return rewritten(schema)
}

function rewritten(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(rewritten)
  if (!isPlain(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => {
      if (name === '$ref' && typeof member === 'string' && member.startsWith(SHARED))
        return [name, `#/components/schemas/${member.slice(SHARED.length)}`]
      if (DATA.has(name)) return [name, member]
      if (MAPS.has(name) && isPlain(member))
        return [name, Object.fromEntries(Object.entries(member).map(([key, one]) => [key, rewritten(one)]))]
      return [name, rewritten(member)]
    }),
  )
}
