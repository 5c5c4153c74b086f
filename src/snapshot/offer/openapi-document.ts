/** OpenAPI documents of published proxies. */
import { isPlain, type Plain, pointerTo } from '../../base/json/storable.ts'
import type { FieldError } from '../../base/refusal.ts'
import type { JsonSchema, Parameter } from '../../model/api/proxy.ts'
import type { HttpMethod } from '../../model/members.ts'

interface Contract {
  readonly parameters: readonly Parameter[]
  readonly request_schema: JsonSchema | null
  readonly request_schemas?: Readonly<Record<string, JsonSchema>> | undefined
  readonly request_types: readonly string[]
  readonly request_required: boolean
  readonly response_schema: JsonSchema | null
  readonly request_example?: unknown
  readonly response_example?: unknown
}

/** What of a proxy is described. */
export interface DescribedProxy extends Contract {
  readonly slug: string
  readonly name: string
  readonly description: string
  readonly tags: readonly string[]
  readonly operation_id: string | null
  readonly deprecated: boolean
  readonly kind: string
  readonly path: string
  readonly target_path: string | null
  /** Those that are described. */
  readonly methods: readonly HttpMethod[]
  /** All of the proxy, by which operations are named; absent where they are the same. */
  readonly all_methods?: readonly HttpMethod[]
  /** What differs for single methods. */
  readonly contracts?: Readonly<Partial<Record<HttpMethod, Partial<Contract>>>> | undefined
}

/** What is described. */
interface Described {
  readonly collection: { readonly name: string; readonly description: string }
  readonly version: string
  /** Where it is served: the base path at the gateway, or the upstream. */
  readonly server: string
  readonly proxies: readonly DescribedProxy[]
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
      const contract: Contract = { ...proxy, ...defined(proxy.contracts?.[method] ?? {}) }
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

const COMPONENTS = '#/components/schemas/'

/** The document with those of its shared schemas alone that its operations refer to, directly or through each other. */
export function withUsedSchemas(document: Plain): Plain {
  const { components, ...rest } = document
  const all = isPlain(components) && isPlain(components['schemas']) ? components['schemas'] : {}
  const used = new Set<string>()
  const open: unknown[] = [rest]
  while (open.length > 0) {
    const value = open.pop()
    if (Array.isArray(value)) for (const one of value) open.push(one)
    else if (isPlain(value))
      for (const [name, member] of Object.entries(value)) {
        open.push(member)
        if (name !== '$ref' || typeof member !== 'string' || !member.startsWith(COMPONENTS)) continue
        const schema = decoded(member.slice(COMPONENTS.length).split('/')[0]!)
        if (used.has(schema) || !Object.hasOwn(all, schema)) continue
        used.add(schema)
        open.push(all[schema])
      }
  }
  const schemas = Object.entries(all).filter(([name]) => used.has(name))
  return schemas.length === 0 ? rest : { ...rest, components: { schemas: Object.fromEntries(schemas) } }
}

/** A name out of a pointer in a URI fragment (RFC 6901 section 6). */
function decoded(token: string): string {
  try {
    return decodeURIComponent(token).replaceAll('~1', '/').replaceAll('~0', '~')
  } catch {
    return token
  }
}

function namesIn(path: string): string[] {
  return [...path.matchAll(/\{([^}]*)\}/g)].map((match) => match[1]!)
}

function defined(part: object): Partial<Contract> {
  return Object.fromEntries(Object.entries(part).filter(([, value]) => value !== undefined))
}

/** One id stands for one operation. */
function idOf(proxy: DescribedProxy, method: HttpMethod, taken: ReadonlySet<string>): string {
  const own = proxy.operation_id ?? proxy.slug
  const { all_methods = proxy.methods } = proxy
  if (all_methods.length === 1 && !taken.has(own)) return own
  const byMethod = `${proxy.slug}-${method.toLowerCase()}`
  return taken.has(byMethod) ? `${byMethod}-${taken.size}` : byMethod
}

function operationOf(proxy: DescribedProxy, contract: Contract, names: ReadonlyMap<string, string>): Plain {
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
function untold(proxy: DescribedProxy): string[] {
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
