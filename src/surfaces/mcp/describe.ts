import { isDeepStrictEqual } from 'node:util'
import { isPlain, type Plain, pointerTo, tokenText } from '../../base/json/storable.ts'
import { type FieldError, Refusal, refuse } from '../../base/refusal.ts'
import { slugOf } from '../../model/members.ts'
import { isResourceType } from '../../model/resource-types.ts'
import type { Operation } from '../../operations/engine/define.ts'
import { kindOf } from '../../operations/kinds.ts'
import { nameOf } from '../route.ts'
import { outlineOf, type Property, publishInput } from './published.ts'
import { actionOf, DESCRIBE, inputInvalid, inputOf, type ManagementTool } from './tools.ts'

/** Bytes of JSON of the schema in an argument error. A larger schema is cut to the arguments that are wrong or required. */
const ERROR_SCHEMA_BYTES_MAX = 6000

/** True for arguments of a grouped tool that ask what one of its actions takes. */
export function asksToDescribe(tool: ManagementTool, given: Plain): boolean {
  return tool.listed.length > 0 && given['action'] === DESCRIBE
}

/**
 * The exact schema of the arguments of one action with a call that it accepts; the actions that the caller may use when
 * none is named. The action stands in `id`, or in `arguments` as `action` or `id`. Schemas are no secret, so an action that the caller
 * may not use is described too. Refuses with input_invalid an action that the tool does not have.
 */
export function describe(
  tool: ManagementTool,
  given: Plain,
  isAllowed: (operation: Operation) => boolean,
): Plain {
  const inside = objectOf(given['arguments']) ?? {}
  const named = given['id'] ?? inside['action'] ?? inside['id'] ?? null
  if (named === null || named === '')
    return {
      tool: tool.name,
      actions: tool.operations.filter(isAllowed).map((operation) => ({
        action: actionOf(tool, operation),
        summary: operation.summary,
        required: publishInput(operation.input).required ?? [],
      })),
      example: { action: DESCRIBE, id: tool.listed[0] },
    }
  const operation = typeof named === 'string' ? tool.actions.get(named) : undefined
  if (operation === undefined)
    throw inputInvalid([{ pointer: '/id', reason: `must be one of ${tool.listed.join(', ')}` }])
  return {
    tool: tool.name,
    action: named,
    summary: operation.summary,
    permission: operation.permission,
    schema: inputOf(operation),
    example: exampleCall(operation, String(named)),
  }
}

/** A whole call: of a grouped tool with `action`, `id` and `arguments`, else the arguments alone. */
function exampleCall(operation: Operation, action: string | null): Plain {
  const { id, ...others } = exampleOf(operation)
  if (action === null) return { ...(id === undefined ? {} : { id }), ...others }
  return {
    action,
    ...(id === undefined ? {} : { id }),
    ...(Object.keys(others).length === 0 ? {} : { arguments: others }),
  }
}

/**
 * The refusal of wrong arguments with pointers to where the caller wrote them, and with `schema` and `example` of the
 * action beside it. Other refusals as they are.
 */
export function withUsage(
  error: unknown,
  tool: ManagementTool,
  operation: Operation,
  pointerOf: ReadForm['pointerOf'],
): unknown {
  if (!(error instanceof Refusal) || error.code !== 'input_invalid') return error
  const { detail, errors = [], members } = error.facts
  const placed = errors.map(({ pointer, ...rest }) => ({ ...rest, pointer: pointerOf(pointer) }))
  const [first] = errors
  const isAboutFirst = first !== undefined && detail?.startsWith(`${first.pointer}:`) === true
  const action = tool.listed.length === 0 ? null : actionFor(tool, operation)
  return refuse('input_invalid', {
    ...error.facts,
    ...(isAboutFirst ? { detail: placed[0]!.pointer + detail!.slice(first.pointer.length) } : {}),
    errors: placed,
    members: {
      ...members,
      schema: boundedSchema(operation, errors),
      example: exampleCall(operation, action),
    },
  })
}

/** What `action` says for an operation, also for one that another group lists. */
function actionFor(tool: ManagementTool, operation: Operation): string {
  if (tool.operations.includes(operation)) return actionOf(tool, operation)
  return [...tool.actions].find(([, one]) => one === operation)![0]
}

/** The schema within the bound: whole, else of the wrong and the required arguments, else an outline of these, else their names. */
function boundedSchema(operation: Operation, errors: readonly FieldError[]): Plain {
  const whole = inputOf(operation)
  if (fits(whole)) return whole
  const { required = [], properties } = whole
  const wrong = errors.map(({ pointer }) => tokenText(pointer.split('/')[1] ?? ''))
  const names = Object.keys(properties).filter((name) => wrong.includes(name) || required.includes(name))
  const of = (shape: (property: Property) => Property): Plain => ({
    ...whole,
    properties: Object.fromEntries(names.map((name) => [name, shape(properties[name]!)])),
    description: `Only the wrong and the required arguments of: ${Object.keys(properties).join(', ')}`,
  })
  const named = ({ description }: Property): Property => (description === undefined ? {} : { description })
  return [of((property) => property), of(outlineOf)].find(fits) ?? of(named)
}

function fits(schema: Plain): boolean {
  return Buffer.byteLength(JSON.stringify(schema)) <= ERROR_SCHEMA_BYTES_MAX
}

type Members = Readonly<Record<string, unknown>>

const NEW_LIMIT = { name: 'minute', kind: 'rate', max: 100, window: '1m' }
const DOCUMENT = {
  apiVersion: 'postern/v1',
  kind: 'Policy',
  metadata: { slug: 'gold' },
  spec: { name: 'Gold', limits: [NEW_LIMIT] },
}
const DAY = { from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z' }

/** Examples by operation, where one that holds only what is required would teach too little. What makes a resource has that of its kind. */
const EXAMPLES: Readonly<Record<string, Members>> = {
  'collections.update': { id: 'orders', description: 'Orders of all shops' },
  'collections.publish': { id: 'orders' },
  'collections.import': {
    document: {
      openapi: '3.1.0',
      info: { title: 'Orders', version: '1' },
      paths: { '/v1/orders': { get: { responses: { 200: { description: 'OK' } } } } },
    },
    base_path: '/orders',
    upstream: 'https://orders.internal.example',
  },
  'proxies.bulk_update': { filter: { collection: 'orders' }, changes: { policy: 'gold' } },
  'policies.update': { id: 'gold', limits: [NEW_LIMIT] },
  'policies.toggle': { id: 'gold', active: false },
  'origins.probe': { definition: { url: 'https://mcp.example.com/mcp' } },
  'guardrails.test': { guardrail: 'mask-cards', sample: '{"card":"4111 1111 1111 1111"}' },
  'guardrails.update': { id: 'mask-cards', mode: 'observe' },
  'guardrails.toggle': { id: 'mask-cards', active: false },
  'clients.toggle': { id: 'acme', active: false },
  'clients.assignments': { id: 'acme', add: ['orders'] },
  'profiles.toggle': { id: 'acme:live', active: false },
  'profiles.rotate': { id: 'acme:live', overlap: '24h' },
  'profiles.access': { id: 'acme:live', endpoint: 'GET /orders/v1/orders/7' },
  'users.toggle': { id: 'ann', active: false },
  'users.offboard': { id: 'ann', confirm: 'ann' },
  'service_identities.toggle': { id: 'ci', active: false },
  'sinks.toggle': { id: 'siem', active: false },
  'sinks.replay': { id: 'siem', from: '2026-01-01T00:00:00Z' },
  'bindings.toggle': { id: 'nightly', active: false },
  'hosts.toggle': { id: 'claude', active: false },
  'revisions.rollback': { id: '41', confirm: '41' },
  'config.plan': { documents: [DOCUMENT] },
  'config.apply': { documents: [DOCUMENT] },
  'config.diff_config': { documents: [DOCUMENT] },
  'audit.list': { action: 'DELETE', ...DAY },
  'records.list': { client: 'acme', status: '429', limit: 10 },
  'requests.explain': { method: 'GET', target: '/orders/v1/orders/7', client: 'acme' },
  'workflows.start_capture': { proxy: 'orders:get-order', match: { method: 'POST' }, ttl: '10m' },
  'exports.create': { of: 'records', format: 'csv', ...DAY },
}

/** Values by name of a member, where the operation has no example of its own. */
const SAMPLES: Readonly<Record<string, unknown>> = {
  name: 'Example',
  slug: 'example',
  description: 'Description for people',
  base_path: '/orders',
  collection: 'orders',
  collections: ['orders'],
  client: 'acme',
  profile: 'acme:live',
  proxies: ['orders:get-order'],
  method: 'GET',
  methods: ['GET'],
  path: '/v1/orders/{id}',
  from: '41',
}

/** Ids by plural noun. */
const IDS: Readonly<Record<string, string>> = {
  collections: 'orders',
  proxies: 'orders:get-order',
  clients: 'acme',
  profiles: 'acme:live',
  policies: 'gold',
  guardrails: 'mask-cards',
  credentials: 'orders-key',
  revisions: '41',
  access_requests: 'acr_01kn0000000000000000000000',
}

/** Arguments that the schema of an operation accepts. Members that a caller would rarely need are not in them. */
export function exampleOf(operation: Operation): Members {
  const own = EXAMPLES[nameOf(operation)]
  const { properties, required = [] } = publishInput(operation.input)
  const made =
    own ??
    ofKind(operation) ??
    Object.fromEntries(
      required.map((name) => [
        name,
        name === 'id' ? (IDS[operation.resource] ?? 'example') : sampleOf(name, properties[name] ?? {}),
      ]),
    )
  const confirms = operation.effect === 'delete' && !Object.hasOwn(made, 'confirm')
  return {
    ...made,
    ...(own === undefined && operation.action === 'update' ? changeOf(properties) : {}),
    ...(confirms ? { confirm: String(made['id'] ?? 'example').replace(/^.*:/, '') } : {}),
  }
}

/** The example of a kind as what makes one of it; null for other operations. */
function ofKind({ resource, action }: Operation): Members | null {
  if (!isResourceType(resource)) return null
  const { example } = kindOf(resource)
  if (action === 'create') return example
  return action === 'put' ? { id: slugOf(example.name), ...example } : null
}

/** One member that an update may change. */
function changeOf(properties: Readonly<Record<string, Property>>): Members {
  const name = ['name', 'description'].find((one) => Object.hasOwn(properties, one))
  return name === undefined ? {} : { [name]: SAMPLES[name] }
}

function sampleOf(name: string, schema: Property): unknown {
  if (Object.hasOwn(SAMPLES, name)) return SAMPLES[name]
  if ('const' in schema) return schema['const']
  if ('default' in schema) return schema['default']
  const {
    enum: choices,
    anyOf,
    oneOf,
    items,
    properties,
    required,
    minimum,
    format,
  } = schema as {
    readonly enum?: readonly unknown[]
    readonly anyOf?: readonly Property[]
    readonly oneOf?: readonly Property[]
    readonly items?: Property
    readonly properties?: Readonly<Record<string, Property>>
    readonly required?: readonly string[]
    readonly minimum?: number
    readonly format?: string
  }
  if (choices !== undefined) return choices[0]
  const first = (anyOf ?? oneOf)?.find(({ type }) => type !== 'null')
  if (first !== undefined) return sampleOf(name, first)
  switch (schema['type']) {
    case 'integer':
    case 'number':
      return minimum ?? 1
    case 'boolean':
      return true
    case 'array':
      return items === undefined ? [] : [sampleOf('', items)]
    case 'object':
      return Object.fromEntries(
        (required ?? []).map((member) => [member, sampleOf(member, properties?.[member] ?? {})]),
      )
    default:
      return format === undefined ? 'example' : (BY_FORMAT[format] ?? 'example')
  }
}

const BY_FORMAT: Readonly<Record<string, string>> = {
  'date-time': '2026-01-01T00:00:00Z',
  email: 'ann@example.com',
  uri: 'https://example.com',
}

/** Name, beside the `action` of a grouped tool, of a member `action` that the operation has itself. */
const OWN_ACTION = 'filter_action'

/** Arguments of an operation as one flat object, whatever form they came in. */
export interface ReadForm {
  readonly given: Plain
  /** Where the caller wrote what a pointer into `given` names, or would write it. */
  readonly pointerOf: (pointer: string) => string
}

/**
 * Reads the arguments of an operation. They may stand beside `action`, in `arguments` (an object, or its JSON text, as some
 * models write it), and those of an update in `changes`. Refuses with input_invalid a member that has two different values.
 * @param given what the caller sent, without the `action` of a grouped tool
 * @param isThis of a grouped tool: whether an action names this operation, since models repeat it in `arguments`
 */
export function readForm(
  operation: Operation,
  given: Plain,
  isThis: ((action: unknown) => boolean) | null,
): ReadForm {
  const { shape } = operation.input
  const places = new Map<string, string>()
  const flat = new Map<string, unknown>()
  let base = ''
  const add = (name: string, value: unknown, place: string): void => {
    if (flat.has(name) && !isDeepStrictEqual(flat.get(name), value))
      throw inputInvalid([{ pointer: place, reason: `differs from ${places.get(name)}` }])
    if (!places.has(name)) places.set(name, place)
    flat.set(name, value)
  }
  const addAll = (members: Plain, at: string): void => {
    for (const [name, value] of Object.entries(members)) {
      const place = pointerTo(at, name.slice(0, 64))
      if (name === 'changes' && isPlain(value) && holdsChanges(operation)) addAll(value, place)
      else if (name === 'arguments' && at === '' && !Object.hasOwn(shape, name)) {
        const inside = objectOf(value)
        if (inside === null) throw inputInvalid([{ pointer: place, reason: 'must be an object' }])
        if (Object.keys(inside).length > 0) base = place
        addAll(inside, place)
      } else if (name === 'id' && value === null) continue
      else if (isThis !== null && name === OWN_ACTION && Object.hasOwn(shape, 'action'))
        add('action', value, place)
      else if (isThis !== null && name === 'action' && !Object.hasOwn(shape, 'action') && isThis(value))
        continue
      else add(name, value, place)
    }
  }
  addAll(given, '')
  return {
    given: Object.fromEntries(flat),
    pointerOf(pointer) {
      const [, name = '', rest = ''] = /^\/([^/]*)(.*)$/.exec(pointer) ?? []
      const member = tokenText(name)
      const place = places.get(member)
      return place === undefined ? (member === 'id' ? pointer : base + pointer) : place + rest
    },
  }
}

/** True for an update, unless it has a member `changes` of its own. */
function holdsChanges({ action, input }: Operation): boolean {
  return action === 'update' && !Object.hasOwn(input.shape, 'changes')
}

/** The object that `arguments` holds; null for anything else. */
export function objectOf(value: unknown): Plain | null {
  if (value === null || value === undefined) return {}
  if (isPlain(value)) return value
  if (typeof value !== 'string') return null
  try {
    const parsed: unknown = JSON.parse(value)
    return isPlain(parsed) ? parsed : null
  } catch {
    return null
  }
}
