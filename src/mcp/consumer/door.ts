/**
 * The endpoint `/mcp` offers endpoints in one of two views. The compact view lists a few tools for all endpoints. The
 * expanded view lists an entry for each endpoint; clients can also call the tools of the compact view there. An endpoint that
 * the caller may not call gets the answer of an unknown endpoint.
 */

import { withDigits } from '../../base/json/exact.ts'
import type { FieldError } from '../../base/refusal.ts'
import type { Caller, Endpoint } from '../../gateway/port.ts'
import { HTTP_METHODS } from '../../model/http-names.ts'
import type { CapabilityType } from '../../model/mcp/capability.ts'
import { type DeclaredNames, flatNames, namesIn } from '../../snapshot/find/declared-names.ts'
import type { Contract } from '../../snapshot/fragments.ts'
import type { Incoming } from '../../wire/port.ts'
import { answerOutcome } from '../endpoints/answer-outcome.ts'
import {
  argumentsRefused,
  type CallTools,
  callEndpoint,
  callOffer,
  createProgress,
} from '../endpoints/call.ts'
import { buildTarget, toldByContract } from '../endpoints/target.ts'
import { createEndpoints, createHttpDoor, type HttpDoorOptions } from '../http/door.ts'
import { answerListen, createListens, type Listened, type Seen } from '../http/listens.ts'
import type { Sender } from '../http/message.ts'
import {
  createRelay,
  type Done,
  invalid,
  KEPT,
  type Listed,
  listed,
  NO_ROOM,
  parameterInvalid,
  RESOURCE_NOT_FOUND,
  refusal,
  refused,
  resultOf,
  type Server,
  type ToolResult,
  toolAnswer,
} from '../http/relay.ts'
import { RPC } from '../protocol/answer.ts'
import { isMembers, type Members } from '../protocol/message.ts'
import { SERVER_INFO } from '../protocol/modern.ts'
import type { About, Relay, RelayedAnswer, RelayedRequest } from '../protocol/relay-port.ts'
import { NEEDS_STREAM, wantedOf } from '../protocol/subscription.ts'
import { type Catalogue, createCatalogues, createSearchIndexes, resolve } from './catalogue.ts'
import { listCollections, listEndpoints, listsSearch, searchEndpoints } from './discover.ts'
import { createDocs, DOC_TEMPLATES } from './docs.ts'
import { createExpandedViews, type Expanded } from './expanded.ts'
import { callExample, inspect } from './inspect.ts'
import {
  checkArguments,
  EXPANDED_INSTRUCTIONS,
  INSTRUCTIONS,
  TOOL_ARGUMENTS,
  TOOLS,
  TOOLS_WITH_SEARCH,
  type ToolName,
} from './tools.ts'

const EMPTY: Members = Object.freeze({})
/** What `?view=` may say. */
const VIEWS = ['compact', 'expanded', 'auto'] as const
type View = (typeof VIEWS)[number]

/** Tools up to which `auto` expands. */
const EXPANDED_TOOLS_MAX = 40

const TEMPLATES = listed(DOC_TEMPLATES)

/** What each view offers. A client of an earlier revision has no stream here on which it could hear of changes. */
function aboutOf(offers: readonly string[], instructions: string, listChanged: boolean): About {
  const one = listChanged ? { listChanged } : {}
  return { capabilities: Object.fromEntries(offers.map((offer) => [offer, one])), instructions }
}
const OF_COMPACT = ['tools', 'resources']
const OF_EXPANDED = ['tools', 'prompts', 'resources']
const COMPACT = {
  legacy: aboutOf(OF_COMPACT, INSTRUCTIONS, false),
  modern: aboutOf(OF_COMPACT, INSTRUCTIONS, true),
}
const EXPANDED = {
  legacy: aboutOf(OF_EXPANDED, EXPANDED_INSTRUCTIONS, false),
  modern: aboutOf(OF_EXPANDED, EXPANDED_INSTRUCTIONS, true),
}
const UNKNOWN_VIEW: RelayedAnswer = {
  kind: 'error',
  code: RPC.invalidParams,
  message: `The URL names an unknown view; use ${VIEWS.map((view) => `?view=${view}`).join(', ')}`,
  data: { views: VIEWS },
}

/** The Gateway MCP door (`/mcp`) of one gateway thread. */
export function createConsumerDoor<State>(
  options: HttpDoorOptions<State>,
): (incoming: Incoming<State>) => void {
  const info = { name: 'postern', title: 'Postern Gateway', version: options.version }
  const meta = `,"_meta":${JSON.stringify({ [SERVER_INFO]: info })}`
  const { gateway, running, fault } = options
  const relay = createViews({ gateway, running, fault, meta, progress: createProgress(options.clock) })
  const endpoint = createEndpoints(options)({ name: 'gateway_mcp', info, relay })
  return createHttpDoor(options, () => endpoint)
}

function createViews(tools: CallTools & { readonly meta: string }): Relay<Sender> {
  const { gateway, fault, meta } = tools
  const catalogueOf = createCatalogues()
  const endpointTools = createEndpointTools(tools, catalogueOf)
  const docs = createDocs(gateway)
  const listens = createListens(gateway, (error) => fault(error, ''))
  const views = createExpandedViews(gateway, expandedServer)
  const described = new WeakMap<readonly Endpoint[], Listed>()

  /** Whether the caller gets the expanded view; null for a view that does not exist. */
  function isExpanded({ caller, incoming }: Sender): boolean | null {
    const view = viewOf(caller, incoming.query)
    if (view !== 'auto') return view && view === 'expanded'
    return views.toolsIn(gateway.endpoints(caller)) <= EXPANDED_TOOLS_MAX
  }

  function serverOf(sender: Sender): Server | Promise<Server> | RelayedAnswer {
    const expands = isExpanded(sender)
    if (expands === null) return UNKNOWN_VIEW
    return expands ? views.of(gateway.endpoints(sender.caller)) : compact
  }

  function docsOf(endpoints: readonly Endpoint[]): Listed {
    let known = described.get(endpoints)
    if (known === undefined) {
      known = listed(docs.list(catalogueOf(endpoints)))
      described.set(endpoints, known)
    }
    return known
  }

  const compact: Server = {
    list(sender, _request, type) {
      if (type === 'tools') return endpointTools.list(sender)
      if (type === 'prompts') return null
      return type === 'resource_templates' ? TEMPLATES : docsOf(gateway.endpoints(sender.caller))
    },
    listen,
    call(sender, request, done) {
      if (request.method === 'tools/call') callTool(sender, request, null, done)
      else if (request.method === 'resources/read') readResource(sender, request, null, done)
      else return false
      return true
    },
  }

  function expandedServer(expanded: Expanded, endpoints: readonly Endpoint[]): Server {
    const { tools, prompts, resources, resource_templates } = expanded.lists
    const lists: Readonly<Record<CapabilityType, Listed>> = {
      tools: listed(tools),
      prompts: listed(prompts),
      resources: listed([...docs.list(catalogueOf(endpoints)), ...resources]),
      resource_templates: listed([...DOC_TEMPLATES, ...resource_templates]),
    }
    return {
      list: (_sender, _request, type) => lists[type],
      listen,
      call(sender, request, done) {
        if (request.method === 'prompts/get') getPrompt(sender, request, expanded, done)
        else if (request.method === 'tools/call') callTool(sender, request, expanded, done)
        else if (request.method === 'resources/read') readResource(sender, request, expanded, done)
        else return false
        return true
      },
    }
  }

  function callTool(sender: Sender, request: RelayedRequest, expanded: Expanded | null, done: Done) {
    const { params, received } = request
    const { name } = params
    const given = params['arguments'] ?? EMPTY
    if (typeof name !== 'string') return done(invalid('/params/name', 'name must be a string'))
    if (!isMembers(given)) return done(invalid('/params/arguments', 'arguments must be an object'))
    const budget = gateway.budget(sender.incoming, 'answer')
    const told = (answer: RelayedAnswer): void => {
      // The others of its batch may take long
      const isRoom = answer.kind !== 'result' || !received.isAccounted || budget.take(answer.text.length)
      done(isRoom ? answer : toolAnswer(request, refused(NO_ROOM.code, sender.requestId, NO_ROOM), meta))
    }
    const item = expanded?.tool(name) ?? null
    if (item !== null) {
      const misspelt = item.names.fault(given)
      if (misspelt === null) callOffer(tools, sender, request, item, name, params, undefined, told)
      else done(argumentsRefused(sender, request, [misspelt], meta))
      return
    }
    endpointTools.call(sender, name, given, request, expanded?.lists.tools ?? null, told)
  }

  function getPrompt(sender: Sender, request: RelayedRequest, expanded: Expanded, done: Done) {
    const { params, received } = request
    const { name } = params
    if (typeof name !== 'string') return done(invalid('/params/name', 'name must be a string'))
    if (!isMembers(params['arguments'] ?? EMPTY))
      return done(invalid('/params/arguments', 'arguments must be an object'))
    received.tool = name
    const item = expanded.prompt(name)
    if (item === null) done(invalid('/params/name', `Unknown prompt: ${name.slice(0, 128)}`))
    else callOffer(tools, sender, request, item, name, params, undefined, done)
  }

  /** A resource that stands for an endpoint, or a description. */
  function readResource(sender: Sender, request: RelayedRequest, expanded: Expanded | null, done: Done) {
    const { params, received, isModern } = request
    const { uri } = params
    if (typeof uri !== 'string') return done(invalid('/params/uri', 'uri must be a string'))
    received.tool = uri
    const item = expanded?.resource(uri) ?? null
    if (item !== null) return callOffer(tools, sender, request, item, uri, params, undefined, done)
    const waitMs = gateway.admitDiscovery(sender.caller)
    if (waitMs > 0) {
      const members = { limit_name: 'discovery', retry_after_ms: waitMs }
      const detail = 'Too many descriptions are read; keep what was read.'
      return done(refusal(request, sender, 'rate_limit_exceeded', { detail, members }))
    }
    const content = docs.read(catalogueOf(gateway.endpoints(sender.caller)), uri)
    if (content !== null) {
      const members = `"contents":${JSON.stringify([{ uri, ...content }])}${isModern ? KEPT : ''}`
      return done(resultOf(members, isModern, meta))
    }
    const code = isModern ? RPC.invalidParams : RESOURCE_NOT_FOUND
    const data = { uri: uri.slice(0, 2048) }
    done({ kind: 'error', code, message: `Resource not found: ${uri.slice(0, 128)}`, data })
  }

  function listen(sender: Sender, request: RelayedRequest, done: Done) {
    if (!request.readsStreams) return done(NEEDS_STREAM)
    const seenAt = (server: Server | RelayedAnswer): Seen => {
      const json = (type: CapabilityType): string => {
        const list = 'kind' in server ? null : server.list(sender, request, type)
        return list === null || 'kind' in list ? '' : list.json
      }
      return {
        tools: json('tools'),
        prompts: json('prompts'),
        resources: json('resources'),
        resource_templates: json('resource_templates'),
      }
    }
    const of: Listened = {
      now: () => gateway.endpoints(sender.caller),
      async lists() {
        return seenAt(await serverOf(sender))
      },
      // No resource here changes by itself
      watch: () => null,
    }
    const wanted = { ...wantedOf(request.params), uris: new Set<string>() }
    answerListen(listens, of, sender, request, wanted, null, done)
  }

  return createRelay({
    about: (sender, isModern) =>
      (isExpanded(sender) === true ? EXPANDED : COMPACT)[isModern ? 'modern' : 'legacy'],
    sessions: null,
    serverOf,
    fault,
    meta,
  })
}

/** The view that a request asks for by `?view=`, else that of the profile; null for an unknown one. */
function viewOf({ profile }: Caller, query: string): View | null {
  const asked = query === '' ? null : new URLSearchParams(query).get('view')
  if (asked === null) return profile.mcp_view ?? 'compact'
  return VIEWS.find((view) => view === asked) ?? null
}

// The tools of the compact view, over the endpoints that the caller sees. `execute_call` calls an endpoint; the other tools
// only read.

const BYTES_DEFAULT = 64 * 1024

const METHODS: ReadonlySet<string> = new Set(HTTP_METHODS)
const NO_PARAMS: Members = Object.freeze({})
const NO_FIELDS: readonly string[] = []

const ARGUMENTS = {
  pointer: (place: string) => `/params${place}`,
  adviceOnWrong: 'inspect_contract shows the parameters and schemas of the endpoint.',
}

/** Names that are understood though not listed. */
const ALIASES: Readonly<Record<string, ToolName>> = {
  endpoint_details: 'inspect_contract',
  execute_endpoint: 'execute_call',
}

interface EndpointTools {
  /** The same object for equal lists. */
  list(sender: Sender): Listed
  /** @param others what an unknown name is answered with; null for the list of these tools */
  call(
    sender: Sender,
    name: string,
    given: Members,
    request: RelayedRequest,
    others: readonly Members[] | null,
    done: Done,
  ): void
}

const LISTED = listed(TOOLS)
const LISTED_WITH_SEARCH = listed(TOOLS_WITH_SEARCH)

/** The tools of one gateway thread. */
function createEndpointTools(
  tools: CallTools,
  catalogueOf: (endpoints: readonly Endpoint[]) => Catalogue,
): EndpointTools {
  const { gateway, meta } = tools
  const indexes = createSearchIndexes()

  function hasSearch({ caller }: Sender): boolean {
    return listsSearch(caller.profile.mcp_search, gateway.endpoints(caller).length)
  }

  return {
    list: (sender) => (hasSearch(sender) ? LISTED_WITH_SEARCH : LISTED),
    call(sender, name, given, request, others, answer) {
      const { caller, requestId } = sender
      const tool = toolOf(name)
      if (tool === null || (tool === 'search_endpoints' && caller.profile.mcp_search === 'off'))
        return answer(unknownTool(name, others ?? (hasSearch(sender) ? TOOLS_WITH_SEARCH : TOOLS)))
      const done = (outcome: ToolResult | null): void =>
        answer(outcome === null ? { kind: 'none' } : toolAnswer(request, outcome, meta))
      const checked = checkArguments(tool, given)
      // An error result, which the model reads: protocol errors stay with its client (2025-11-25, server/tools: error handling)
      if (!checked.ok) return done(parameterInvalid(requestId, [checked.error], checked.example))
      const { values } = checked
      if (tool !== 'execute_call') {
        const waitMs = gateway.admitDiscovery(caller)
        if (waitMs > 0)
          return done(
            refused('rate_limit_exceeded', requestId, {
              detail: 'Too many discovery calls; keep what was listed and go on with execute_call.',
              members: { limit_name: 'discovery', retry_after_ms: waitMs },
            }),
          )
      }
      const catalogue = catalogueOf(gateway.endpoints(caller))
      switch (tool) {
        case 'execute_call':
          return execute(tools, catalogue, sender, values, request, done)
        case 'inspect_contract':
          return done(inspect(gateway, catalogue, sender, values))
        case 'search_endpoints':
          searchEndpoints(gateway, indexes, catalogue, values, requestId).then(done, (error: unknown) => {
            tools.fault(error, requestId)
            done(refused('internal_error', requestId, {}))
          })
          return
        case 'list_endpoints':
          return done(listEndpoints(gateway, catalogue, values, requestId))
        case 'list_collections':
          return done(listCollections(catalogue))
      }
    },
  }
}

function toolOf(name: string): ToolName | null {
  if (Object.hasOwn(TOOL_ARGUMENTS, name)) return name as ToolName // its own key, so one of the names
  return Object.hasOwn(ALIASES, name) ? ALIASES[name]! : null
}

/** Names that the answer to an unknown one repeats. */
const NAMES_MAX = 50

function unknownTool(name: string, listed: readonly { readonly name?: unknown }[]): RelayedAnswer {
  const more = listed.length > NAMES_MAX ? ' and others of tools/list' : ''
  const names = listed.slice(0, NAMES_MAX).map((one) => one.name)
  return {
    kind: 'error',
    code: RPC.invalidParams,
    message: `Unknown tool: ${name.slice(0, 128)}`,
    data: {
      pointer: '/params/name',
      reason: `must be one of ${names.join(', ')}${more}`,
      example: { name: 'list_collections', arguments: {} },
    },
  }
}

/**
 * Runs `execute_call`: finds the endpoint, builds the call, hands it to the stages, fits the answer into its bounds. `done` gets null
 * for a call that was given up.
 */
function execute(
  tools: CallTools,
  catalogue: Catalogue,
  sender: Sender,
  values: ReadonlyMap<string, unknown>,
  request: RelayedRequest,
  done: (outcome: ToolResult | null) => void,
): void {
  const { gateway } = tools
  const { requestId } = sender
  // The kinds were checked by the rules of the tool.
  const named = values.get('method') as string | undefined
  const resolved = resolve(catalogue, values.get('endpoint') as string, named, requestId)
  if (!resolved.ok) {
    done(resolved.outcome)
    return
  }
  const { endpoint, method } = resolved
  const example = (): Members => callExample(gateway, catalogue, endpoint, method)
  if (method === null || !METHODS.has(method)) {
    const reason = `must be one of ${endpoint.methods.join(', ')}`
    done(parameterInvalid(requestId, [{ pointer: '/method', reason }], example()))
    return
  }
  const built = buildTarget(
    catalogue.patternOf(endpoint),
    resolved.values,
    resolved.query,
    withDigits((values.get('params') as Members | undefined) ?? NO_PARAMS),
    toldByContract(() => gateway.contract(endpoint, method)),
    values.get('idempotency_key') as string | undefined,
  )
  if (!built.ok) {
    done(parameterInvalid(requestId, built.errors, example()))
    return
  }
  const { dropped, ...made } = built.built
  const misspelt = misspeltIn(gateway.contract(endpoint, method), values.get('params'))
  if (misspelt !== null) {
    done(parameterInvalid(requestId, [misspelt], example()))
    return
  }
  const bytesMax = (values.get('max_bytes') as number | undefined) ?? BYTES_DEFAULT
  const wanted = (values.get('fields') as string[] | undefined) ?? NO_FIELDS
  const reason = (values.get('reason') as string | undefined) ?? ''
  const { collection } = endpoint
  callEndpoint(
    tools,
    sender,
    request,
    { ...made, method, collection, name: request.received.tool, reason, through: undefined },
    (answer) => {
      const given = { ...ARGUMENTS, example }
      done(answer === null ? null : answerOutcome(answer, wanted, bytesMax, dropped, given))
    },
    () => done(refused('internal_error', requestId, {})),
  )
}

const queryNames = new WeakMap<Contract['parameters'], DeclaredNames>()

/** The first member of query or body that is another spelling of a name of the contract; null without one. */
function misspeltIn(found: ReturnType<CallTools['gateway']['contract']>, params: unknown): FieldError | null {
  if (found === null || !isMembers(params)) return null
  const { parameters, request_schema: schema } = found.contract
  let names = queryNames.get(parameters)
  if (names === undefined) {
    names = flatNames(parameters.flatMap(({ in: place, name }) => (place === 'query' ? [name] : [])))
    queryNames.set(parameters, names)
  }
  const query = names.fault(params['query'])
  if (query !== null) return { pointer: `/params/query${query.pointer}`, reason: query.reason }
  const body = namesIn(schema, found.schemas).fault(params['body'])
  return body && { pointer: `/params/body${body.pointer}`, reason: body.reason }
}
