/**
 * The answer of `/mcp` to each method. The compact view lists a few tools for all endpoints. The expanded view lists an entry for each
 * endpoint, and clients can still call the tools of the compact view. An endpoint that the caller may not call gets the answer of an unknown
 * endpoint.
 */

import type { Clock } from '../../base/clock.ts'
import { withDigits } from '../../base/json/exact.ts'
import { PROBLEMS, type RefusalCode } from '../../base/refusal.ts'
import type { Endpoint } from '../../gateway/port.ts'
import type { CapabilityType } from '../../model/mcp/capability.ts'
import { answerOutcome } from '../endpoints/answer-outcome.ts'
import { offeredAnswer } from '../endpoints/offered-answer.ts'
import { argumentPointer, byArguments, byUri } from '../endpoints/offered-request.ts'
import type { Sender } from '../http/message.ts'
import { messageId } from '../http/message.ts'
import { parameterInvalid, refused } from '../http/outcome.ts'
import { createStandingStreams } from '../http/standing.ts'
import { RPC } from '../protocol/answer.ts'
import { isMembers, type Members } from '../protocol/message.ts'
import type { About, Relay, RelayedAnswer, RelayedRequest } from '../protocol/relay-port.ts'
import { toolResult } from '../protocol/run-tool-call.ts'
import { NEEDS_STREAM } from '../protocol/subscription.ts'
import type { ToolOutcome } from '../protocol/tool-call.ts'
import { createCatalogues } from './catalogue.ts'
import { createDocs, DOC_TEMPLATES } from './docs.ts'
import { createExpandedViews, type Expanded, type ExpandedItem } from './expanded.ts'
import { listen, type Seen } from './listens.ts'
import { createProgress } from './progress.ts'
import { type CallTools, runCall } from './run-call.ts'
import { createConsumerTools } from './tool-calls.ts'
import { EXPANDED_INSTRUCTIONS, INSTRUCTIONS, LIST_TTL_MS } from './tools.ts'
import { EXPANDED_TOOLS_MAX, VIEWS, viewOf } from './views.ts'

const EMPTY: Members = Object.freeze({})
const NO_FIELDS: readonly string[] = []
const NOTHING: readonly Members[] = []
const RESULT_BYTES_MAX = 64 * 1024
/** A result holds its JSON as text and as structured content. */
const TEXTS = 2
/** Code of a resource that is not there, before 2026-07-28. */
const RESOURCE_NOT_FOUND = -32002

const NO_ROOM = {
  code: 'overloaded',
  detail:
    'The call was carried out, but its response was dropped: the gateway holds too many unread responses. Read responses faster, or send fewer requests at once.',
  retryAfterMs: null,
} as const

/** The list that each method asks for, and the member of its result. */
const LISTS: ReadonlyMap<string, readonly [type: CapabilityType, member: string]> = new Map([
  ['tools/list', ['tools', 'tools']],
  ['prompts/list', ['prompts', 'prompts']],
  ['resources/list', ['resources', 'resources']],
  ['resources/templates/list', ['resource_templates', 'resourceTemplates']],
])

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

type Done = (answer: RelayedAnswer) => void

export interface RelayOptions extends CallTools {
  readonly clock: Clock
  /** Text of the member `_meta` of results of 2026-07-28. */
  readonly meta: string
}

/** The relay of one gateway thread. */
export function createConsumerRelay(options: RelayOptions): Relay<Sender> {
  const { gateway, fault, meta } = options
  const catalogueOf = createCatalogues()
  const compact = createConsumerTools(options, catalogueOf)
  const views = createExpandedViews(gateway)
  const docs = createDocs(gateway)
  const progress = createProgress(options.clock)
  const streams = createStandingStreams(gateway)
  /** Lists of resources with the descriptions of collections. */
  const described = new WeakMap<
    object,
    Readonly<Record<'resources' | 'resource_templates', readonly Members[]>>
  >()
  const texts = new WeakMap<readonly unknown[], Map<string, string>>()

  /** Whether the caller gets the expanded view; null for a view that does not exist. */
  function isExpanded({ caller, incoming }: Sender): boolean | null {
    const view = viewOf(caller, incoming.query)
    if (view !== 'auto') return view && view === 'expanded'
    return views.toolsIn(gateway.endpoints(caller)) <= EXPANDED_TOOLS_MAX
  }

  function sealed(members: string, isModern: boolean): RelayedAnswer {
    const text = isModern ? `{"resultType":"complete",${members},${meta}}` : `{${members}}`
    return { kind: 'result', text }
  }

  /** Written once for all callers that see the same list. What a caller sees depends on its permissions, so no list is public. */
  function listText(list: readonly unknown[], member: string, isModern: boolean): RelayedAnswer {
    const key = isModern ? 'modern' : 'legacy'
    let known = texts.get(list)
    if (known === undefined) {
      known = new Map()
      texts.set(list, known)
    }
    let text = known.get(key)
    if (text === undefined) {
      const kept = isModern ? `,"ttlMs":${LIST_TTL_MS},"cacheScope":"private"` : ''
      text = `"${member}":${JSON.stringify(list)}${kept}`
      known.set(key, text)
    }
    return sealed(text, isModern)
  }

  /** The same array for equal lists. */
  function listOf(
    sender: Sender,
    endpoints: readonly Endpoint[],
    type: CapabilityType,
    expanded: Expanded | null,
  ): readonly unknown[] {
    if (type === 'tools') return expanded?.lists.tools ?? compact.list(sender)
    if (type === 'prompts') return expanded?.lists.prompts ?? NOTHING
    if (type === 'resource_templates' && expanded === null) return DOC_TEMPLATES
    const catalogue = catalogueOf(endpoints)
    const key = expanded ?? catalogue
    let lists = described.get(key)
    if (lists === undefined) {
      const own = expanded?.lists ?? { resources: NOTHING, resource_templates: NOTHING }
      lists = {
        resources: [...docs.list(catalogue), ...own.resources],
        resource_templates: [...DOC_TEMPLATES, ...own.resource_templates],
      }
      described.set(key, lists)
    }
    return lists[type]
  }

  function answerList(
    sender: Sender,
    [type, member]: readonly [CapabilityType, string],
    expanded: Expanded | null,
    { params, isModern }: RelayedRequest,
  ): RelayedAnswer {
    if (params['cursor'] !== undefined) return invalid('/params/cursor', 'Unknown cursor')
    return listText(listOf(sender, gateway.endpoints(sender.caller), type, expanded), member, isModern)
  }

  function callTool(sender: Sender, expanded: Expanded | null, request: RelayedRequest, done: Done) {
    const { params, received, isModern } = request
    const { name } = params
    const given = params['arguments'] ?? EMPTY
    if (typeof name !== 'string') return done(invalid('/params/name', 'name must be a string'))
    if (!isMembers(given)) return done(invalid('/params/arguments', 'arguments must be an object'))
    const budget = gateway.budget(sender.incoming, 'answer')
    const finish = (outcome: ToolOutcome | null) => {
      // A call that was given up has no response
      if (outcome === null || outcome.kind === 'cancelled') return done({ kind: 'none' })
      received.outcome = outcome
      if (outcome.kind !== 'result') {
        const { message } = outcome
        const data = outcome.kind === 'question' ? undefined : outcome.data
        return done({ kind: 'error', code: RPC.invalidParams, message, data })
      }
      // The others of its batch may take long
      const isRoom = outcome.accounted !== true || budget.take(TEXTS * outcome.json.length)
      const shown = isRoom ? outcome : refused('overloaded', sender.requestId, NO_ROOM)
      done(sealed(toolResult(shown), isModern))
    }
    const item = expanded?.tool(name) ?? null
    if (item === null) compact.call(sender, name, given, request, expanded?.lists.tools ?? null, finish)
    else callItem(sender, item, name, given, request, finish)
  }

  /** A tool of the expanded view. */
  function callItem(
    sender: Sender,
    item: ExpandedItem,
    name: string,
    given: Members,
    request: RelayedRequest,
    finish: (outcome: ToolOutcome | null) => void,
  ) {
    const { requestId } = sender
    const misspelt = item.names.fault(given)
    const built =
      misspelt === null ? byArguments(item, withDigits(given)) : { ok: false as const, errors: [misspelt] }
    if (!built.ok) {
      const detail = `${built.errors[0]!.pointer}: ${built.errors[0]!.reason}`
      return finish(refused('parameter_invalid', requestId, { detail, errors: built.errors }))
    }
    const { dropped, ...made } = built.built
    const told = { pointer: argumentPointer(item), example: () => null, adviceOnWrong: null }
    const call = { ...made, endpoint: item.endpoint, method: item.method, name, reason: '' }
    runCall(
      options,
      sender,
      request,
      call,
      (answer) => finish(answer && answerOutcome(answer, NO_FIELDS, RESULT_BYTES_MAX, dropped, told)),
      () => finish(refused('internal_error', requestId, {})),
    )
  }

  /** A prompt, or a resource that stands for an endpoint. */
  function fetchItem(sender: Sender, item: ExpandedItem, name: string, request: RelayedRequest, done: Done) {
    const { method, params, received, isModern } = request
    received.tool = name
    const given = params['arguments'] ?? EMPTY
    if (!isMembers(given)) return done(invalid('/params/arguments', 'arguments must be an object'))
    const built = method === 'resources/read' ? byUri(item, name) : byArguments(item, withDigits(given))
    if (!built.ok) {
      const outcome = parameterInvalid(sender.requestId, built.errors, EMPTY)
      received.outcome = outcome
      const { pointer, reason } = built.errors[0]!
      return done({
        kind: 'error',
        code: RPC.invalidParams,
        message: `${pointer}: ${reason}`,
        data: { pointer },
      })
    }
    const { dropped, ...made } = built.built
    const call = { ...made, endpoint: item.endpoint, method: item.method, name, reason: '' }
    runCall(
      options,
      sender,
      request,
      call,
      (answer) => {
        if (answer === null) return done({ kind: 'none' })
        const given = offeredAnswer(answer, item, request, name, dropped)
        done(given.kind === 'result' ? withMeta(given.text, isModern) : given)
      },
      () => done(INTERNAL),
    )
  }

  function withMeta(text: string, isModern: boolean): RelayedAnswer {
    return { kind: 'result', text: isModern ? `${text.slice(0, -1)},${meta}}` : text }
  }

  /** What the sender sees now: written once for all that see the same. */
  async function seenBy(sender: Sender): Promise<Seen> {
    const endpoints = gateway.endpoints(sender.caller)
    const expanded = isExpanded(sender) === true ? await views.of(endpoints) : null
    const text = (type: CapabilityType): string => {
      const { text } = listText(listOf(sender, endpoints, type, expanded), type, false) as { text: string }
      return text
    }
    return {
      tools: text('tools'),
      prompts: text('prompts'),
      resources: text('resources') + text('resource_templates'),
    }
  }

  function dispatch(sender: Sender, expanded: Expanded | null, request: RelayedRequest, done: Done) {
    const { method, params, isModern, received } = request
    if (method === 'tools/call') {
      const stop = progress.begin(request)
      return callTool(sender, expanded, request, (answer) => {
        stop()
        done(answer)
      })
    }
    const list = LISTS.get(method)
    if (list !== undefined && (expanded !== null || method !== 'prompts/list'))
      return done(answerList(sender, list, expanded, request))
    if (method === 'subscriptions/listen' && isModern) {
      if (!request.readsStreams) return done(NEEDS_STREAM)
      if (listen({ gateway, streams, seenBy, fault }, sender, request, done)) return
      return done(
        refusal(sender, request, 'concurrency_exceeded', 'Too many streams are open for the client.', {}),
      )
    }
    if (method === 'prompts/get' && expanded !== null) {
      const { name } = params
      if (typeof name !== 'string') return done(invalid('/params/name', 'name must be a string'))
      const item = expanded.prompt(name)
      if (item !== null) return fetchItem(sender, item, name, request, done)
      received.tool = name
      return done(invalid('/params/name', `Unknown prompt: ${name.slice(0, 128)}`))
    }
    if (method === 'resources/read') {
      const { uri } = params
      if (typeof uri !== 'string') return done(invalid('/params/uri', 'uri must be a string'))
      const item = expanded?.resource(uri) ?? null
      if (item !== null) return fetchItem(sender, item, uri, request, done)
      received.tool = uri
      const waitMs = gateway.admitDiscovery(sender.caller)
      if (waitMs > 0) {
        const members = { limit_name: 'discovery', retry_after_ms: waitMs }
        const detail = 'Too many descriptions are read; keep what was read.'
        return done(refusal(sender, request, 'rate_limit_exceeded', detail, members))
      }
      const content = docs.read(catalogueOf(gateway.endpoints(sender.caller)), uri)
      if (content !== null) {
        const kept = isModern ? `,"ttlMs":${LIST_TTL_MS},"cacheScope":"private"` : ''
        return done(sealed(`"contents":${JSON.stringify([{ uri, ...content }])}${kept}`, isModern))
      }
      const code = isModern ? RPC.invalidParams : RESOURCE_NOT_FOUND
      const data = { uri: uri.slice(0, 2048) }
      return done({ kind: 'error', code, message: `Resource not found: ${uri.slice(0, 128)}`, data })
    }
    done(unknownMethod(method))
  }

  return {
    about: (sender, isModern) =>
      (isExpanded(sender) === true ? EXPANDED : COMPACT)[isModern ? 'modern' : 'legacy'],
    sessions: null,
    answer(given, request, done) {
      const requestId = messageId(given.requestId, request.received.place)
      const sender: Sender = { caller: given.caller, requestId, incoming: given.incoming }
      const failed = (error: unknown): void => {
        fault(error, requestId)
        done(INTERNAL)
      }
      try {
        const expands = isExpanded(sender)
        if (expands === null) return done(UNKNOWN_VIEW)
        if (!expands) return dispatch(sender, null, request, done)
        const endpoints: readonly Endpoint[] = gateway.endpoints(sender.caller)
        views
          .of(endpoints)
          .then((expanded) => dispatch(sender, expanded, request, done))
          .catch(failed)
      } catch (error) {
        failed(error)
      }
    },
  }
}

/** A refusal, which the record of the message names. */
function refusal(
  { requestId }: Sender,
  { received }: RelayedRequest,
  code: RefusalCode,
  detail: string,
  members: Members,
): RelayedAnswer {
  const outcome = refused(code, requestId, { detail, members })
  received.outcome = outcome
  return { kind: 'error', code: PROBLEMS[code].status, message: detail, data: JSON.parse(outcome.json) }
}

const INTERNAL: RelayedAnswer = { kind: 'error', code: RPC.internalError, message: 'Internal error' }
const UNKNOWN_VIEW: RelayedAnswer = {
  kind: 'error',
  code: RPC.invalidParams,
  message: `The URL names an unknown view; use ${VIEWS.map((view) => `?view=${view}`).join(', ')}`,
  data: { views: VIEWS },
}

function invalid(pointer: string, message: string): RelayedAnswer {
  return { kind: 'error', code: RPC.invalidParams, message, data: { pointer } }
}

function unknownMethod(method: string): RelayedAnswer {
  const data = { method }
  return { kind: 'error', code: RPC.methodNotFound, message: 'Method not found', data, status: 404 }
}
