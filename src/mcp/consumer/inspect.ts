/** The tool `inspect_contract`: parameters, schemas and limits of an endpoint, with a valid example call. */
import type { Endpoint, GatewayPort } from '../../gateway/port.ts'
import { bodyFormOf, isJson } from '../../model/api/body-form.ts'
import type { JsonSchema, Parameter } from '../../model/api/proxy.ts'
import { isOfMessage } from '../../model/http-names.ts'
import type { Way } from '../../model/schema-looseness.ts'
import type { Contract } from '../../snapshot/fragments.ts'
import { schemaOfParameter } from '../../snapshot/offer/parameter-schema.ts'
import { boundedSchema } from '../../snapshot/schema/bounded.ts'
import { scalarText } from '../endpoints/parameter-text.ts'
import { buildTarget, type FoundContract, toldByContract } from '../endpoints/target.ts'
import type { Sender } from '../http/message.ts'
import { given, refused, type ToolResult } from '../http/relay.ts'
import { isMembers, type Members } from '../protocol/message.ts'
import { answers, type Catalogue, resolve } from './catalogue.ts'
import { type SampleChoice, sampleOf } from './sample.ts'

/** Bounds of one contract, so that a large description still gives something a model can read. */
const SCHEMA_BYTES_MAX = 16 * 1024
const EXAMPLE_BYTES_MAX = 8 * 1024
const TEXT_CHARS_MAX = 2000
const PARAMETERS_MAX = 100

/** Runs `inspect_contract`. */
export function inspect(
  gateway: GatewayPort,
  catalogue: Catalogue,
  { caller, requestId }: Sender,
  values: ReadonlyMap<string, unknown>,
): ToolResult {
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
  const schemaOf = (schema: JsonSchema | null | undefined, way: Way): JsonSchema | null =>
    schema == null ? null : boundedSchema(schema, found?.schemas ?? {}, SCHEMA_BYTES_MAX, way)
  const names = catalogue.patternOf(endpoint).names
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
    cookie_params: paramsIn('cookie', contract),
    request_schema: schemaOf(contract?.request_schema, 'request'),
    response_schema: schemaOf(contract?.response_schema, 'response'),
    request_example: bounded(contract?.request_example),
    response_example: bounded(contract?.response_example),
    auth: {
      type: caller.profile.auth,
      note: 'This connection proves who you are. Send no credentials in params.',
    },
    limits: limitsOf(gateway, caller, endpoint),
    call_example: callExample(gateway, catalogue, endpoint, resolved.method),
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
    ...(parameter.enum === undefined ? {} : { enum: parameter.enum }),
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

/** A call of the endpoint that has everything its contract requires, and that `execute_call` accepts. */
export function callExample(
  gateway: GatewayPort,
  catalogue: Catalogue,
  endpoint: Endpoint,
  method: string | null,
): Members {
  const said = method !== null && answers(endpoint, method) ? method : endpoint.methods[0]!
  const found = gateway.contract(endpoint, said)
  const pattern = catalogue.patternOf(endpoint)
  let params: Members = {}
  // Examples of descriptions say most, but often break their own rules
  for (const values of ATTEMPTS) {
    params = paramsOf(pattern.names, said, found, values)
    const built = buildTarget(
      pattern,
      NO_VALUES,
      '',
      params,
      toldByContract(() => found),
      undefined,
    )
    if (!built.ok) continue
    const { target, fields, ownFields, body } = built.built
    if (gateway.contractFaults(endpoint, said, { target, lines: fields + ownFields, body }).length === 0)
      break
  }
  return {
    name: 'execute_call',
    arguments: {
      endpoint: endpoint.proxy.id,
      ...(endpoint.methods.length > 1 ? { method: said } : {}),
      ...(Object.keys(params).length === 0 ? {} : { params }),
    },
  }
}

/** What is short and true to the description comes first. */
const ATTEMPTS: readonly SampleChoice[] = [
  { examples: true, membersMin: 0, alternative: 0 },
  { examples: false, membersMin: 0, alternative: 0 },
  { examples: false, membersMin: 1, alternative: 0 },
  { examples: false, membersMin: 0, alternative: 1 },
  { examples: false, membersMin: 1, alternative: 1 },
]
const NO_VALUES: ReadonlyMap<string, string> = new Map()
const NO_BODY: ReadonlySet<string> = new Set(['GET', 'HEAD'])

/** Parameters with everything that the contract requires. */
function paramsOf(
  names: readonly string[],
  method: string,
  found: FoundContract | null,
  values: SampleChoice,
): Members {
  const contract = found?.contract ?? null
  const schemas = found?.schemas ?? {}
  const parameters = contract?.parameters ?? []
  const valuesOf = (place: Parameter['in']): [string, unknown][] =>
    parameters
      .filter(
        ({ in: in_, required, name }) =>
          in_ === place && required && !(place === 'header' && isOfMessage(name)),
      )
      .slice(0, PARAMETERS_MAX)
      .map((parameter) => [parameter.name, sampleOfParameter(parameter, schemas, values)])
  const path = names.map((name) => {
    const declared = parameters.find((parameter) => parameter.in === 'path' && parameter.name === name)
    return [name, declared === undefined ? 'value' : sampleOfParameter(declared, schemas, values)] as const
  })
  const groups = {
    path,
    query: valuesOf('query'),
    headers: valuesOf('header'),
    cookies: valuesOf('cookie'),
  }
  const params: Record<string, unknown> = {}
  for (const [group, values] of Object.entries(groups))
    if (values.length > 0) params[group] = Object.fromEntries(values)
  const body =
    NO_BODY.has(method) || contract === null ? undefined : bodyOf(contract, schemas, method, values)
  if (body !== undefined) params['body'] = body
  return params
}

function bodyOf(contract: Contract, schemas: Members, method: string, values: SampleChoice): unknown {
  const { examples } = values
  const { request_schemas = {}, request_schema, request_types, request_required, request_example } = contract
  if (request_schema === null && (request_types.length === 0 || !request_required)) return undefined
  if (method === 'DELETE' && !request_required) return undefined
  const { type, base64 } = bodyFormOf(contract, schemas)
  const example = examples ? bounded(request_example) : undefined
  if (base64 === true) return 'dmFsdWU='
  const schema = Object.hasOwn(request_schemas, type) ? request_schemas[type]! : request_schema
  const sample = bounded(sampleOf(schema, schemas, values))
  if (example !== undefined) return isJson(type) && typeof sample === 'object' ? parsed(example) : example
  return isJson(type) || isMembers(sample) || scalarText(sample) !== null ? sample : 'value'
}

function sampleOfParameter(parameter: Parameter, schemas: Members, values: SampleChoice): unknown {
  const { default: otherwise } = parameter
  const own = schemaOfParameter({ ...parameter, default: undefined })
  if (values.examples && otherwise !== undefined && otherwise !== '' && otherwise !== null)
    return bounded(otherwise)
  return bounded(sampleOf(own, schemas, values))
}

/** An example that a description has as JSON in a text is what that JSON says. */
function parsed(example: unknown): unknown {
  if (typeof example !== 'string') return example
  try {
    return JSON.parse(example)
  } catch {
    return example
  }
}

/** The value when it is small; undefined leaves it out. */
function bounded(value: unknown): unknown {
  if (value === undefined) return undefined
  return JSON.stringify(value).length <= EXAMPLE_BYTES_MAX ? value : undefined
}

function cut(text: string): string {
  return text.length <= TEXT_CHARS_MAX ? text : `${text.slice(0, TEXT_CHARS_MAX - 1).toWellFormed()}…`
}
