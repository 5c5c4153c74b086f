/**
 * The endpoint `/mcp` offers endpoints in one of two views. The compact view lists a few tools for all endpoints. The
 * expanded view lists an entry for each endpoint; clients can also call the tools of the compact view there. An endpoint that
 * the caller may not call gets the answer of an unknown endpoint.
 */

import type { Caller, Endpoint } from '../../gateway/port.ts'
import type { CapabilityType } from '../../model/mcp/capability.ts'
import type { Incoming } from '../../wire/port.ts'
import { argumentsRefused, type CallTools, callOffer, createProgress } from '../endpoints/call.ts'
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
  RESOURCE_NOT_FOUND,
  refusal,
  refused,
  resultOf,
  type Server,
  toolAnswer,
} from '../http/relay.ts'
import { RPC } from '../protocol/answer.ts'
import { isMembers, type Members } from '../protocol/message.ts'
import { SERVER_INFO } from '../protocol/modern.ts'
import type { About, Relay, RelayedAnswer, RelayedRequest } from '../protocol/relay-port.ts'
import { NEEDS_STREAM, wantedOf } from '../protocol/subscription.ts'
import { createCatalogues } from './catalogue.ts'
import { createDocs, DOC_TEMPLATES } from './docs.ts'
import { createEndpointTools } from './endpoint-tools.ts'
import { createExpandedViews, type Expanded } from './expanded.ts'
import { EXPANDED_INSTRUCTIONS, INSTRUCTIONS } from './tools.ts'

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
      const detail =
        'Too many descriptions are being read. Use those that you have already read, or try again later.'
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
