/**
 * Published endpoints of a collection as capabilities. For an origin of kind `collection`, the catalogue is made when the
 * collection is compiled, in the transaction of its change, so it never drifts; `compile/compile-resource.ts` says what is compiled
 * with it. For `/mcp`, a gateway thread makes it from the fragments that it serves.
 *
 * 1. Names do not depend on the order of proxies in the store. If two endpoints claim one name, the older proxy gets it.
 * 2. Names of arguments consist of `A-Za-z0-9_.-` and are unique, because model APIs refuse a list with any other name.
 * 3. An input schema is complete in itself. It has at most {@link SCHEMA_BYTES_MAX} bytes for its body, and a bound for all
 *    arguments beside it.
 */
import { hash } from 'node:crypto'
import { isPlain, type Plain } from '../../base/json/storable.ts'
import { bodyFormOf, isJson, isMultipart, isUrlEncoded } from '../../model/api/body-form.ts'
import type { JsonSchema, Parameter, ProxySpec } from '../../model/api/proxy.ts'
import { isOfMessage, parameterNames } from '../../model/http-names.ts'
import {
  type ArgumentPlace,
  CAPABILITY_TYPES,
  type CapabilityType,
  type OfferedEndpoint,
  type OfferedEndpoints,
} from '../../model/mcp/capability.ts'
import type { Catalogue } from '../../model/mcp/capability-drift.ts'
import type { HttpMethod } from '../../model/members.ts'
import { boundedSchema } from '../schema/bounded.ts'
import { shorten } from '../schema/read-schema.ts'
import { type Argument, argumentSchemas, DESCRIPTION_CHARS_MAX } from './parameter-schema.ts'

/** What of a proxy makes it a capability. */
export interface OfferedProxy {
  readonly id: string
  readonly slug: string
  readonly spec: OfferedSpec
}

type OfferedSpec = Contract &
  Pick<ProxySpec, 'name' | 'description' | 'path' | 'kind' | 'operation_id' | 'response_schema'> & {
    readonly methods: readonly HttpMethod[]
    readonly status: string
    readonly mcp?: ProxySpec['mcp'] | undefined
    /** What differs for single methods. */
    readonly contracts?: Readonly<Partial<Record<HttpMethod, Partial<Contract>>>> | undefined
  }

/** A published collection, as it is offered. */
export interface Offer {
  readonly collection: { readonly slug: string; readonly spec: { readonly base_path: string } }
  readonly proxies: readonly OfferedProxy[]
  /** JSON of its shared schemas, or these; undefined without. */
  readonly schemas: string | Plain | undefined
}

export interface Offered {
  readonly catalogue: Catalogue
  readonly endpoints: OfferedEndpoints
}

const NAME_CHARS_MAX = 60
const ARGUMENT_CHARS_MAX = 64
const ARGUMENT = /^[A-Za-z0-9_.-]{1,64}$/
/** Characters of the names that a description says are not shown. */
const OMITTED_CHARS_MAX = 300
/** Bytes of the schema of a body. */
const SCHEMA_BYTES_MAX = 8 * 1024
const BODY = 'body'

const WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])
/** Headers that OpenAPI says are no parameters (OpenAPI 3.1.1 section 4.8.12.2). */
const NO_PARAMETERS: ReadonlySet<string> = new Set(['accept', 'content-type', 'authorization'])

/**
 * What a collection offers.
 * @param whole false leaves out schemas and arguments, where names and texts alone are wanted; a set keeps them for proxies of
 * these ids
 */
export function offeredBy(
  { collection, proxies, schemas = {} }: Offer,
  whole: boolean | ReadonlySet<string>,
): Offered {
  // Content of the table of schemas, which is written as an object of schemas by name
  const shared = typeof schemas !== 'string' ? schemas : whole === false ? {} : (JSON.parse(schemas) as Plain)
  const catalogue = { tools: [], prompts: [], resources: [], resource_templates: [] } as Record<
    CapabilityType,
    Plain[]
  >
  // A name may be one that every object inherits
  const endpoints = new Map(CAPABILITY_TYPES.map((type) => [type, new Map<string, OfferedEndpoint>()]))
  const add = (type: CapabilityType, key: string, item: Plain, endpoint: OfferedEndpoint): void => {
    catalogue[type].push(item)
    endpoints.get(type)!.set(key, endpoint)
  }
  const taken = { tools: new Set<string>(), prompts: new Set<string>() }
  for (const proxy of inOrder(proxies)) {
    const isWhole = typeof whole === 'boolean' ? whole : whole.has(proxy.id)
    const methods = offeredMethods(proxy.spec)
    const tools = methods.filter((method) => roleOf(proxy.spec, method) === 'tool')
    for (const method of methods) {
      const role = roleOf(proxy.spec, method)
      const base = baseOf(proxy, role === 'tool' && tools.length > 1 ? method : null)
      const shape = shapeOf(proxy.spec, method, shared, isWhole)
      const endpoint = { proxy: proxy.id, method, ...shape.called }
      const texts = textsOf(proxy.spec, method, collection.spec.base_path)
      if (role === 'tool') {
        const name = freeName(base, proxy, method, taken.tools)
        const annotations = { ...hintsOf(method), ...proxy.spec.mcp?.annotations }
        const schema = isWhole ? { inputSchema: shape.schema } : {}
        const description = withOmitted(texts.description, shape.omitted)
        add('tools', name, { name, ...texts, description, ...schema, annotations }, endpoint)
      } else if (role === 'prompt') {
        const name = freeName(base, proxy, method, taken.prompts)
        add('prompts', name, { name, ...texts, arguments: shape.prompt }, endpoint)
      } else {
        const uri = uriOf(collection.slug, proxy.spec, shape.parameters)
        const mime = proxy.spec.response_schema === null ? {} : { mimeType: 'application/json' }
        const isTemplate = uri.includes('{')
        const named = isTemplate ? { uriTemplate: uri } : { uri }
        add(
          isTemplate ? 'resource_templates' : 'resources',
          uri,
          { ...named, name: base, ...texts, ...mime },
          endpoint,
        )
      }
    }
  }
  const behind = [...endpoints].map(([type, items]) => [type, Object.fromEntries(items)])
  return { catalogue, endpoints: Object.fromEntries(behind) as OfferedEndpoints }
}

/** Ids grow with time, so the oldest comes first. */
function inOrder(proxies: readonly OfferedProxy[]): readonly OfferedProxy[] {
  return proxies
    .filter(
      ({ spec: { status, kind, mcp } }) =>
        // A tunnel is nothing that one call could answer. Specs of earlier versions lack the newer members.
        status === 'published' && kind !== 'websocket' && mcp?.as !== 'hidden',
    )
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
}

/** HEAD beside GET, and OPTIONS beside anything, tell an agent nothing. */
function offeredMethods({ methods }: OfferedSpec): readonly HttpMethod[] {
  const main = methods.filter((method) => method !== 'HEAD' && method !== 'OPTIONS')
  return main.length > 0 ? main : methods.slice(0, 1)
}

type Role = 'tool' | 'prompt' | 'resource'

function roleOf(spec: OfferedSpec, method: HttpMethod): Role {
  const as = spec.mcp?.as
  if (method !== 'GET' || (as !== 'resource' && as !== 'prompt')) return 'tool'
  // No URI can give a header
  const needsHeader = as === 'resource' && parametersOf(spec, method).some((one) => isNeededHeader(one))
  return needsHeader ? 'tool' : as
}

function isNeededHeader({ in: place, required, name }: Parameter): boolean {
  return place === 'header' && required && isGiven(name)
}

function isGiven(header: string): boolean {
  return !isOfMessage(header) && !NO_PARAMETERS.has(header.toLowerCase())
}

function baseOf({ slug, spec }: OfferedProxy, method: HttpMethod | null): string {
  const own = spec.mcp?.name ?? spec.operation_id ?? slug
  const clean = own.replaceAll(/[^A-Za-z0-9_.-]/gu, '_')
  return (method === null ? clean : `${method.toLowerCase()}_${clean}`).slice(0, NAME_CHARS_MAX)
}

function freeName(base: string, { id, slug }: OfferedProxy, method: HttpMethod, taken: Set<string>): string {
  const unlike = hash('sha256', `${id}\0${method}`, 'hex').slice(0, 8)
  const cut = (room: number): string => base.slice(0, NAME_CHARS_MAX - room)
  const candidates = [base, `${base}_${slug}`, `${cut(unlike.length + 1)}_${unlike}`]
  const name = candidates.find((one) => one.length <= NAME_CHARS_MAX && !taken.has(one)) ?? unlike
  taken.add(name)
  return name
}

function textsOf(
  { name, description, mcp, path }: OfferedSpec,
  method: HttpMethod,
  basePath: string,
): { readonly title: string; readonly description: string } {
  const text = mcp?.description ?? description
  return {
    title: mcp?.title ?? name,
    description: shorten(text === '' ? `${method} ${basePath}${path}` : text, DESCRIPTION_CHARS_MAX),
  }
}

/** A description that says which arguments the schema does not show. */
function withOmitted(description: string, omitted: readonly string[]): string {
  if (omitted.length === 0) return description
  const note = `Takes ${omitted.length} more arguments: ${shorten(omitted.join(', '), OMITTED_CHARS_MAX)}.`
  return `${shorten(description, DESCRIPTION_CHARS_MAX - note.length - 1)} ${note}`
}

/** What follows from the method (RFC 9110 section 9.2). What a POST or PATCH does, nothing tells. */
function hintsOf(method: HttpMethod): Plain {
  switch (method) {
    case 'GET':
    case 'HEAD':
    case 'OPTIONS':
      return { readOnlyHint: true, destructiveHint: false, idempotentHint: true }
    case 'PUT':
      return { readOnlyHint: false, idempotentHint: true }
    case 'DELETE':
      return { readOnlyHint: false, destructiveHint: true, idempotentHint: true }
    case 'POST':
    case 'PATCH':
      return { readOnlyHint: false }
  }
}

/** What a call takes. */
interface Shape {
  readonly called: Omit<OfferedEndpoint, 'proxy' | 'method'>
  readonly schema: Plain
  /** Names of arguments that the schema does not show. */
  readonly omitted: readonly string[]
  readonly prompt: readonly Plain[]
  readonly parameters: readonly Parameter[]
}

function shapeOf(spec: OfferedSpec, method: HttpMethod, shared: Plain, isWhole: boolean): Shape {
  const contract = contractOf(spec, method)
  const body = bodyOf(spec, method, contract, shared)
  const parameters = parametersOf(spec, method)
  const places: Record<string, ArgumentPlace> = {}
  const names = argumentNames(parameters, body !== null)
  const all = parameters.map((parameter, index): Argument => {
    const name = names[index]!
    places[name] = placeOf(parameter)
    return { name, parameter, description: textOf(parameter, name) }
  })
  const shown = argumentSchemas(isWhole ? all : [], shared)
  const isBodyShown = body !== null && isWhole
  const required = [...shown.required, ...(isBodyShown && body.isRequired ? [BODY] : [])]
  return {
    called: { places, hasBody: body !== null, ...body?.form },
    schema: {
      type: 'object',
      properties: { ...shown.properties, ...(isBodyShown ? { [BODY]: body.schema(shared) } : {}) },
      ...(required.length === 0 ? {} : { required }),
      // A call may have those that are not shown
      ...(shown.omitted.length === 0 ? { additionalProperties: false } : {}),
    },
    omitted: shown.omitted,
    prompt: isWhole
      ? all.map(({ name, parameter, description }) => ({
          name,
          ...described(description),
          required: parameter.required,
        }))
      : [],
    parameters,
  }
}

/** Of what earlier versions have stored, the newer members are absent. */
interface Contract {
  readonly parameters: readonly Parameter[]
  readonly request_schema: JsonSchema | null
  readonly request_schemas?: Readonly<Record<string, JsonSchema>> | undefined
  readonly request_types?: readonly string[] | undefined
  readonly request_required?: boolean | undefined
}

function contractOf(spec: OfferedSpec, method: HttpMethod): Contract {
  return { ...spec, ...spec.contracts?.[method === 'HEAD' ? 'GET' : method] }
}

/** Parameters that an agent gives, those of the path first; of the path all, whether or not they are described. */
function parametersOf(spec: OfferedSpec, method: HttpMethod): readonly Parameter[] {
  const { parameters } = contractOf(spec, method)
  const names = [...parameterNames(spec.path), ...(spec.path.endsWith('/*') ? ['*'] : [])]
  const inPath = names.map((name): Parameter => {
    const declared = parameters.find((one) => one.in === 'path' && one.name === name)
    const description = name === '*' ? 'The rest of the path' : ''
    return {
      ...(declared ?? { name, in: 'path', type: 'string', description }),
      required: true,
    }
  })
  const others = parameters.filter((one) => one.in !== 'path' && (one.in !== 'header' || isGiven(one.name)))
  return [...inPath, ...others]
}

/** Names that model APIs take for arguments, in the order of the parameters. A name that can stay as it is stays. */
function argumentNames(parameters: readonly Parameter[], hasBody: boolean): readonly string[] {
  const taken = new Set(hasBody ? [BODY] : [])
  const kept = parameters.map(({ name }) => {
    if (!ARGUMENT.test(name) || taken.has(name)) return null
    taken.add(name)
    return name
  })
  return parameters.map((parameter, index) => kept[index] ?? argumentName(parameter, taken))
}

function argumentName({ name, in: place }: Parameter, taken: Set<string>): string {
  const clean =
    name === '*' ? 'rest' : name.replaceAll(/[^A-Za-z0-9_.-]/gu, '_').replace(/_+$/, '') || 'argument'
  const plain = clean.slice(0, ARGUMENT_CHARS_MAX - 12)
  let free = plain
  for (let round = 1; taken.has(free); round++)
    free = round === 1 ? `${place}_${plain}` : `${place}_${plain}_${round}`
  taken.add(free)
  return free
}

/** The description of an argument. One that has another name than its parameter says so. */
function textOf({ name, in: place, description }: Parameter, argument: string): string {
  if (argument === name || name === '*') return description
  const sent = `Sent as ${JSON.stringify(name)} in ${place}.`
  return description === '' ? sent : `${sent} ${description}`
}

const PLACE_OF = { path: 'path', query: 'query', header: 'headers', cookie: 'cookies' } as const

function placeOf({ name, in: place, style, explode, content_type }: Parameter): ArgumentPlace {
  const form = {
    ...(style === undefined ? {} : { style }),
    ...(explode === undefined ? {} : { explode }),
    ...(content_type === undefined ? {} : { content_type }),
  }
  return Object.keys(form).length === 0 ? [PLACE_OF[place], name] : [PLACE_OF[place], name, form]
}

interface Body {
  readonly isRequired: boolean
  /** How it is written; nothing for JSON. */
  readonly form: Pick<OfferedEndpoint, 'bodyType' | 'base64'>
  readonly schema: (shared: Plain) => Plain
}

/** The body that a method takes; null for none. */
function bodyOf({ kind }: OfferedSpec, method: HttpMethod, contract: Contract, shared: Plain): Body | null {
  const { request_schema, request_schemas = {}, request_types: types = [], request_required } = contract
  if (method === 'GET' || method === 'HEAD') return null
  if (!WITH_BODY.has(method) && request_schema === null && types.length === 0) return null
  const { type, base64 } = bodyFormOf(contract, shared)
  const schema = Object.hasOwn(request_schemas, type) ? request_schemas[type]! : request_schema
  const hasBase64 = base64 === true || base64.length > 0
  const form = {
    ...(type === 'application/json' ? {} : { bodyType: type }),
    ...(hasBase64 ? { base64 } : {}),
  }
  const isRequired = (request_required ?? true) && schema !== null && WITH_BODY.has(method)
  if (kind === 'graphql' && schema === null)
    return { isRequired: true, form, schema: () => structuredClone(GRAPHQL) }
  if (base64 === true) return { isRequired, form, schema: () => bytesSchema(`The body, sent as ${type}.`) }
  if (!isJson(type) && !isUrlEncoded(type) && !isMultipart(type))
    return { isRequired, form, schema: () => ({ type: 'string', description: `Sent as ${type}` }) }
  return {
    isRequired,
    form,
    schema: (shared) =>
      schema === null ? {} : withFiles(plainSchema(schema, shared, SCHEMA_BYTES_MAX), base64),
  }
}

function bytesSchema(what: string): Plain {
  const description = `${what} Base64, or a data: URL with the media type and the parameter name.`
  return { type: 'string', contentEncoding: 'base64', description: description.trim() }
}

/** A schema of a form whose fields of these names are files. */
function withFiles(schema: Plain, files: readonly string[]): Plain {
  // It says of the whole what is not so of its fields
  const { contentMediaType: _, properties, ...rest } = schema
  if (!isPlain(properties)) return rest
  const fields = Object.entries(properties).map(([name, field]) => {
    if (!files.includes(name)) return [name, field]
    const { description, type } = isPlain(field) ? field : {}
    const file = bytesSchema(typeof description === 'string' ? description : '')
    return [name, type === 'array' ? { type, items: file } : file]
  })
  return { ...rest, properties: Object.fromEntries(fields) }
}

/** A request of GraphQL (GraphQL over HTTP, section 5.1). */
const GRAPHQL: Plain = {
  type: 'object',
  properties: {
    query: { type: 'string' },
    variables: { type: 'object' },
    operationName: { type: 'string' },
  },
  required: ['query'],
}

function plainSchema(schema: JsonSchema, shared: Plain, bytesMax: number): Plain {
  const bounded = boundedSchema(schema, shared, bytesMax)
  return isPlain(bounded) ? bounded : {}
}

/** The URI of a GET endpoint, or the template of its URIs (RFC 6570). */
function uriOf(slug: string, { path }: OfferedSpec, parameters: readonly Parameter[]): string {
  const plain = path
    .replaceAll(/\{([^{}]+)\}/g, (_all, name: string) => `{${variableOf(name)}}`)
    .replace(/\/\*$/, '/{+rest}')
  const query = parameters.filter((one) => one.in === 'query')
  const isTemplate = plain.includes('{') || query.some(({ required }) => required)
  const names = query.map(({ name }) => name).filter((name) => variableOf(name) === name)
  const list = isTemplate && names.length > 0 ? `{?${names.join(',')}}` : ''
  return `postern://${slug}${plain}${list}`
}

function variableOf(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_.]/g, '_')
}

function described(description: string): Plain {
  return description === '' ? {} : { description: shorten(description, DESCRIPTION_CHARS_MAX) }
}
