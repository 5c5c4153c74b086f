import type { Endpoint, GatewayPort } from '../../gateway/port.ts'
import type { JsonSchema, Parameter } from '../../model/proxy.ts'
import type { Contract } from '../../snapshot/fragments.ts'
import { boundedSchema } from '../../snapshot/schema/bounded.ts'
import type { Sender } from '../http/caller.ts'
import { given, refused } from '../http/outcome.ts'
import type { Members } from '../protocol/message.ts'
import type { ToolOutcome } from '../protocol/tool-call.ts'
import { answers, type Catalogue } from './catalogue.ts'
import { resolve } from './resolve.ts'

/** Bounds of one contract, so that a large description still gives something a model can read. */
const SCHEMA_BYTES_MAX = 16 * 1024
const EXAMPLE_BYTES_MAX = 8 * 1024
const TEXT_CHARS_MAX = 2000
const PARAMETERS_MAX = 100
const ENUM_MAX = 50

/** Runs `inspect_contract`. */
export function inspect(
  gateway: GatewayPort,
  catalogue: Catalogue,
  { caller, requestId }: Sender,
  values: ReadonlyMap<string, unknown>,
): ToolOutcome {
  // The kinds were checked by the rules of the tool.
  const named = values.get('method') as string | undefined
  const resolved = resolve(catalogue, values.get('endpoint') as string, named, requestId)
  if (!resolved.ok) return resolved.outcome
  const { endpoint } = resolved
  // A contract of another method would be taken for the one asked for. A call goes on to the checks, which answer 405.
  if (resolved.method !== null && !answers(endpoint, resolved.method)) {
    const allow = [...new Set(samePath(catalogue, endpoint, values.get('endpoint') as string))]
    const reason = `must be one of ${allow.join(', ')}`
    return refused('method_not_allowed', requestId, {
      detail: `${endpoint.path} does not answer ${resolved.method.slice(0, 32)}; the method ${reason}.`,
      errors: [{ pointer: named === undefined ? '/endpoint' : '/method', reason }],
      members: { allow },
    })
  }
  const found = gateway.contract(endpoint, resolved.method ?? endpoint.methods[0])
  const contract = found?.contract ?? null
  const schemaOf = (schema: JsonSchema | null): JsonSchema | null =>
    schema === null ? null : boundedSchema(schema, found?.schemas ?? {}, SCHEMA_BYTES_MAX)
  const names = catalogue.patternOf(endpoint).names
  const request = schemaOf(contract?.request_schema ?? null)
  return given({
    endpoint_id: endpoint.proxy.id,
    name: endpoint.proxy.name,
    description: cut(contract?.description ?? ''),
    path: endpoint.path,
    methods: endpoint.methods,
    deprecated: endpoint.proxy.deprecated,
    path_params: pathParams(names, contract),
    query_params: paramsIn('query', contract),
    header_params: paramsIn('header', contract),
    request_schema: request,
    response_schema: schemaOf(contract?.response_schema ?? null),
    request_example: bounded(contract?.request_example),
    response_example: bounded(contract?.response_example),
    auth: {
      type: caller.profile.auth,
      note: 'This connection proves who you are. Send no credentials in params.',
    },
    limits: limitsOf(gateway, caller, endpoint),
    call_example: exampleOf(endpoint, resolved.method, names, contract, request),
  })
}

/** Methods that would be found by the same reference: a path may have several endpoints, an id or a name has one. */
function samePath({ endpoints }: Catalogue, endpoint: Endpoint, ref: string): string[] {
  if (!ref.includes('/')) return [...endpoint.methods]
  return endpoints
    .filter(({ path, collection }) => path === endpoint.path && collection.id === endpoint.collection.id)
    .flatMap(({ methods }) => methods)
}

interface ShownParameter {
  readonly name: string
  readonly type: string
  readonly required: boolean
  readonly description: string
  readonly enum?: readonly unknown[]
  readonly default?: unknown
}

function shown(parameter: Parameter): ShownParameter {
  return {
    name: parameter.name,
    type: parameter.type,
    required: parameter.required,
    ...(parameter.enum === undefined ? {} : { enum: parameter.enum.slice(0, ENUM_MAX) }),
    ...(parameter.default === undefined ? {} : { default: bounded(parameter.default) }),
    description: cut(parameter.description),
  }
}

function paramsIn(place: Parameter['in'], contract: Contract | null): ShownParameter[] {
  const all = contract?.parameters.filter((parameter) => parameter.in === place) ?? []
  // What a call needs comes first, so that the bound cuts what it can do without.
  return all
    .sort((a, b) => Number(b.required) - Number(a.required))
    .slice(0, PARAMETERS_MAX)
    .map(shown)
}

/** Every parameter of the path, whether or not the contract describes it. */
function pathParams(names: readonly string[], contract: Contract | null): ShownParameter[] {
  const declared = contract?.parameters.filter((parameter) => parameter.in === 'path') ?? []
  return names.map((name) => {
    const parameter = declared.find((item) => item.name === name)
    if (parameter !== undefined) return { ...shown(parameter), required: true }
    return { name, type: 'string', required: true, description: name === '*' ? 'The rest of the path' : '' }
  })
}

function limitsOf(gateway: GatewayPort, caller: Sender['caller'], endpoint: Endpoint): object[] {
  return gateway
    .policies(caller, endpoint)
    .filter(({ policy }) => policy.active)
    .flatMap(({ attachedTo, policy }) =>
      // One that only observes refuses nothing, so it is no business of the caller.
      policy.limits
        .filter(({ observe }) => observe !== true)
        .map((limit) => ({
          attached_to: attachedTo,
          policy: policy.slug,
          name: limit.name,
          kind: limit.kind,
          max: limit.max,
          ...(limit.window_ms === 0 ? {} : { window: durationOf(limit.window_ms) }),
          ...(limit.burst === undefined ? {} : { burst: limit.burst }),
          ...(limit.cost === undefined ? {} : { cost: limit.cost }),
        })),
    )
}

function durationOf(ms: number): string {
  if (ms % 86_400_000 === 0) return `${ms / 86_400_000}d`
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000}h`
  if (ms % 60_000 === 0) return `${ms / 60_000}m`
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`
}

/** A call of the endpoint that has everything its contract requires. */
export function callExample(
  gateway: GatewayPort,
  catalogue: Catalogue,
  endpoint: Endpoint,
  method: string | null,
): Members {
  const found = gateway.contract(endpoint, method ?? endpoint.methods[0])
  const contract = found?.contract ?? null
  const schema = contract?.request_schema ?? null
  const request = schema === null ? null : boundedSchema(schema, found?.schemas ?? {}, SCHEMA_BYTES_MAX)
  const said = method !== null && answers(endpoint, method) ? method : null
  return exampleOf(endpoint, said, catalogue.patternOf(endpoint).names, contract, request)
}

/** Arguments of an execute_call that has everything the contract requires. */
function exampleOf(
  endpoint: Endpoint,
  said: string | null,
  names: readonly string[],
  contract: Contract | null,
  request: JsonSchema | null,
): Members {
  const method = said ?? endpoint.methods[0]!
  const parameters = contract?.parameters ?? []
  const valuesOf = (place: Parameter['in']): [string, unknown][] =>
    parameters
      .filter((parameter) => parameter.in === place && parameter.required)
      .slice(0, PARAMETERS_MAX)
      .map((parameter) => [parameter.name, sampleOf(parameter)])
  const path = names.map((name) => {
    const declared = parameters.find((parameter) => parameter.in === 'path' && parameter.name === name)
    return [name, declared === undefined ? 'value' : sampleOf(declared)] as const
  })
  const query = valuesOf('query')
  const headers = valuesOf('header')
  const takesBody = method !== 'GET' && method !== 'HEAD' && method !== 'DELETE' && request !== null
  const params = {
    ...(path.length === 0 ? {} : { path: Object.fromEntries(path) }),
    ...(query.length === 0 ? {} : { query: Object.fromEntries(query) }),
    ...(headers.length === 0 ? {} : { headers: Object.fromEntries(headers) }),
    ...(takesBody ? { body: bounded(contract?.request_example) ?? skeletonOf(request, 0) } : {}),
  }
  return {
    name: 'execute_call',
    arguments: {
      endpoint: endpoint.proxy.id,
      ...(endpoint.methods.length > 1 ? { method } : {}),
      ...(Object.keys(params).length === 0 ? {} : { params }),
    },
  }
}

function sampleOf(parameter: Parameter): unknown {
  if (parameter.default !== undefined) return bounded(parameter.default)
  if (parameter.enum !== undefined && parameter.enum.length > 0) return bounded(parameter.enum[0])
  if (parameter.type === 'integer' || parameter.type === 'number') return parameter.min ?? 1
  if (parameter.type === 'boolean') return true
  return parameter.type === 'array' ? ['value'] : 'value'
}

/** The required members of a schema with plausible values; a start for the model, not a valid instance. */
function skeletonOf(schema: unknown, depth: number): unknown {
  if (schema === null || typeof schema !== 'object' || depth > 4) return {}
  const node = schema as Readonly<Record<string, unknown>> // a JSON Schema object; every member is checked below
  for (const key of ['example', 'default', 'const']) if (node[key] !== undefined) return bounded(node[key])
  if (Array.isArray(node['enum'])) return bounded(node['enum'][0])
  const [type] = Array.isArray(node['type']) ? (node['type'] as unknown[]) : [node['type']]
  if (type === 'string') return 'value'
  if (type === 'integer' || type === 'number') return 1
  if (type === 'boolean') return true
  if (type === 'array') return [skeletonOf(node['items'], depth + 1)]
  const properties = node['properties']
  if (properties === null || typeof properties !== 'object') return {}
  const required = Array.isArray(node['required']) ? (node['required'] as unknown[]) : []
  const members = Object.entries(properties).filter(([name]) => required.includes(name))
  return Object.fromEntries(members.slice(0, 50).map(([name, below]) => [name, skeletonOf(below, depth + 1)]))
}

/** The value when it is small; undefined leaves it out. */
function bounded(value: unknown): unknown {
  if (value === undefined) return undefined
  return JSON.stringify(value).length <= EXAMPLE_BYTES_MAX ? value : undefined
}

function cut(text: string): string {
  return text.length <= TEXT_CHARS_MAX ? text : `${text.slice(0, TEXT_CHARS_MAX - 1).toWellFormed()}…`
}
