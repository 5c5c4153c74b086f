/**
 * The answers of a virtual MCP. Lists come from the snapshot. A call is resolved by its public name and passes the same stages as every
 * request to its origin. Hidden and unknown names get the same answer.
 */
import { withoutDigits } from '../../base/json/exact.ts'
import type { Plain } from '../../base/json/storable.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import { hitsText } from '../../gateway/record.ts'
import { BEYOND_BINDING } from '../../gateway/request-headers.ts'
import type { CapabilityType } from '../../model/mcp/capability.ts'
import type { CapabilityKey } from '../../model/mcp/capability-drift.ts'
import type { Capabilities, Caller as PolicySubject } from '../../snapshot/find/capability-caller.ts'
import type { Visible } from '../../snapshot/find/capability-view.ts'
import type { SpellingFault } from '../../snapshot/find/declared-names.ts'
import type { JoinedVirtualMcp } from '../../snapshot/find/virtual-mcps.ts'
import { type CallTools, callOffer } from '../endpoints/call.ts'
import type { Listens } from '../http/listens.ts'
import type { Sender } from '../http/message.ts'
import { createRelay, type Done, invalid, refusal, type Server } from '../http/relay.ts'
import { mirroredMismatch, mirroredParams } from '../origin/envelope.ts'
import { RPC } from '../protocol/answer.ts'
import { isMembers, isModernVersion, type Members } from '../protocol/message.ts'
import {
  type About,
  isLogLevel,
  type LogLevels,
  type Relay,
  type RelayedAnswer,
  type RelayedRequest,
} from '../protocol/relay-port.ts'
import type { ClientQuestions } from '../protocol/relayed-requests.ts'
import type { SessionSubscriptions } from '../protocol/subscription.ts'
import { taskSupportOf } from '../protocol/tasks.ts'
import { guarded } from './call/guarded-call.ts'
import { OriginCall, type Target } from './call/origin-call.ts'
import { bytesOf } from './call/origin-line.ts'
import { NO_COMPLETION, resultFor } from './call/results.ts'
import { createCompactTools } from './compact-tools.ts'
import { type Parking, type Retry, unusable, withoutRetry } from './input/parking.ts'
import type { OriginUpdates } from './streams/origin-updates.ts'
import { createSubscribing, SUBSCRIBING } from './streams/subscribing.ts'
import { tellsOfResources } from './streams/watch-tools.ts'
import { createTasks, type TaskTools } from './tasks/tasks.ts'

const EMPTY: Members = Object.freeze({})

/** What a method is about that names one capability. */
const NOUNS: ReadonlyMap<string, string> = new Map([
  ['tools/call', 'tool'],
  ['prompts/get', 'prompt'],
  ['resources/read', 'resource'],
  ['completion/complete', 'prompt or resource template'],
])

type Found =
  | { readonly kind: 'target'; readonly target: Target }
  | { readonly kind: 'unknown'; readonly pointer: string; readonly name: string }
  | { readonly kind: 'refused'; readonly name: string; readonly reason: string }
  | { readonly kind: 'invalid'; readonly pointer: string; readonly reason: string }
  | { readonly kind: 'mismatch'; readonly name: string; readonly reason: string }

export interface RelayTools extends TaskTools {
  readonly questions: ClientQuestions
  readonly logLevels: LogLevels
  readonly listens: Listens
  readonly updates: OriginUpdates
  readonly progress: CallTools['progress']
  readonly subscriptions: SessionSubscriptions
  readonly parking: Parking
}

/** The relay of a virtual MCP as it is in one snapshot. */
export function createVirtualRelay(
  joined: JoinedVirtualMcp,
  tools: RelayTools,
  instructions: string,
): Relay<Sender> {
  const { gateway, parking } = tools
  const tasks = createTasks(joined, tools)
  const declared = capabilitiesOf(joined)
  const aboutFor = (isModern: boolean): About => ({
    capabilities: { ...declared, ...tasks.capabilities(isModern) },
    instructions,
  })
  const about = { modern: aboutFor(true), legacy: aboutFor(false) }

  function capabilitiesFor({ isModern }: Pick<RelayedRequest, 'isModern'>): Capabilities {
    return isModern ? joined.capabilities : joined.capabilities.legacy
  }

  function find(
    request: Pick<RelayedRequest, 'method' | 'params' | 'mirrored' | 'isModern'>,
    subject: PolicySubject,
  ): Found {
    const { method, params, mirrored } = request
    const capabilities = capabilitiesFor(request)
    const given = params['arguments'] === undefined ? EMPTY : params['arguments']
    if (method === 'resources/read') {
      const { uri } = params
      if (typeof uri !== 'string') return notA('string', '/params/uri')
      const admission = capabilities.read(subject, uri)
      if (admission.kind === 'unknown') return { kind: 'unknown', pointer: '/params/uri', name: uri }
      if (admission.kind === 'refused') return { kind: 'refused', name: uri, reason: admission.reason }
      const { member, uri: key, item } = admission
      const target = { member, name: uri, params: { ...params, uri: key } }
      return located(target, item, subject, '/params/uri')
    }
    if (method === 'completion/complete') return findCompleted(capabilities, params, subject)
    const { name } = params
    if (typeof name !== 'string') return notA('string', '/params/name')
    if (!isMembers(given)) return notA('object', '/params/arguments')
    const type = method === 'tools/call' ? 'tools' : 'prompts'
    const admission = capabilities.call(subject, type, name, given)
    if (admission.kind === 'unknown') return { kind: 'unknown', pointer: '/params/name', name }
    if (admission.kind === 'misspelt') return misspelt(admission)
    const { item } = admission
    const differs = type === 'tools' ? mismatchOf(item.shown, given, mirrored) : null
    if (differs !== null) return { kind: 'mismatch', name, reason: differs }
    if (admission.kind === 'refused') return { kind: 'refused', name, reason: admission.reason }
    const isAsGiven = admission.arguments === given
    const hasNone = given === EMPTY && Object.keys(admission.arguments).length === 0
    const sent = hasNone ? {} : { arguments: admission.arguments }
    const schema = type === 'tools' && isMembers(item.schema) ? item.schema : null
    const annotations = item.shown['annotations']
    const target = {
      member: item.member,
      name,
      params: isAsGiven && item.key === name ? params : { ...params, name: item.key, ...sent },
      annotations: type === 'tools' && isMembers(annotations) ? annotations : null,
      schema,
      taskSupport: taskSupportOf({ execution: item.execution }),
      ...(type === 'tools' ? { outputSchema: item.shown['outputSchema'] } : {}),
    }
    return located(target, item, subject, '/params/name')
  }

  /** With the endpoint that it stands for, at a member that offers endpoints: there is nothing else there. */
  function located(
    target: Omit<Target, 'endpoint'>,
    item: CapabilityKey | null,
    { access = null }: PolicySubject,
    pointer: string,
  ): Found {
    const { endpoints } = joined.members.get(target.member)!
    if (endpoints === null) return { kind: 'target', target: { ...target, endpoint: null } }
    const endpoint = item && endpoints.locate(access, item.type, item.key)
    if (endpoint === null) return { kind: 'unknown', pointer, name: target.name }
    return { kind: 'target', target: { ...target, endpoint } }
  }

  /** Of a prompt, or of a template of URIs (2025-11-25, server/utilities/completion). */
  function findCompleted(capabilities: Capabilities, params: Members, subject: PolicySubject): Found {
    const { ref, argument } = params
    if (!isMembers(ref)) return notA('object', '/params/ref')
    const isPrompt = ref['type'] === 'ref/prompt'
    const member = isPrompt ? 'name' : 'uri'
    const name = ref[member]
    if (typeof name !== 'string') return notA('string', `/params/ref/${member}`)
    const type = isPrompt ? 'prompts' : 'resource_templates'
    if (capabilities.find(subject, type, name) === null)
      return { kind: 'unknown', pointer: `/params/ref/${member}`, name }
    if (!isMembers(argument)) return notA('object', '/params/argument')
    // Of another type it would not be found among those that are closed, and origins may read it as that text
    if (typeof argument['name'] !== 'string') return notA('string', '/params/argument/name')
    const { context = EMPTY } = params
    const others = isMembers(context) ? (context['arguments'] ?? EMPTY) : null
    if (!isMembers(others)) return notA('object', '/params/context')
    const own = argument['name']
    // An argument that is given twice is judged both times
    const both = Object.hasOwn(others, own) ? [others] : []
    const judged = [...both, Object.fromEntries([...Object.entries(others), [own, argument['value']]])]
    let [sent, item]: [Members, Visible | null] = [EMPTY, null]
    for (const given of judged) {
      const admission = capabilities.complete(subject, type, name, given)
      if (admission.kind === 'unknown') return { kind: 'unknown', pointer: `/params/ref/${member}`, name }
      if (admission.kind === 'misspelt')
        return { kind: 'invalid', pointer: '/params/argument', reason: admission.reason }
      if (admission.kind === 'refused') return { kind: 'refused', name, reason: admission.reason }
      sent = admission.arguments
      item = admission.item
    }
    if (item === null) return { kind: 'unknown', pointer: `/params/ref/${member}`, name }
    const entries = Object.entries(sent).filter(([key]) => key !== own || both.length > 0)
    const inner = { ...ref, [member]: item.key }
    const told = entries.length === 0 ? {} : { context: { arguments: Object.fromEntries(entries) } }
    const { context: _, ...rest } = params
    const target = { member: item.member, name, params: withoutDigits({ ...rest, ref: inner, ...told }) }
    return located(target, item, subject, `/params/ref/${member}`)
  }

  function send(
    sender: Sender,
    request: RelayedRequest,
    target: Target,
    retry: Retry | null,
    done: (answer: RelayedAnswer, code?: RefusalCode) => void,
  ): void {
    const { endpoint, member, name } = target
    if (endpoint === null) {
      const about = { member, name, annotations: target.annotations ?? null }
      const call = (round: number, hasDeclined: boolean): void => {
        const again = retry === null ? target : { ...target, retried: { round, hasDeclined } }
        const plain = (one: Target): void => {
          const parked = parking.callOf(joined, sender, request, about, round, done)
          new OriginCall(joined, tools, sender, request, one, done, parked).begin()
        }
        if (request.method === 'tools/call') tasks.call(sender, request, again, plain, done)
        else plain(again)
      }
      if (retry === null && !isModernMember(member) && typeof request.params['requestState'] === 'string')
        done(unusable('The requestState is not valid'))
      else if (retry === null) call(0, false)
      else parking.resume(joined, sender, request, about, retry, call, done)
    } else if (request.method === 'completion/complete')
      done({ kind: 'result', text: resultFor(request.method, NO_COMPLETION, false, request.isModern) })
    else {
      const { params, guard = null } = target
      const { through: of } = joined.members.get(member)!
      const through = { of, proxy: endpoint.proxy, argumentBytes: bytesOf(params['arguments']), guard }
      callOffer(tools, sender, request, endpoint, name, params, through, done)
    }
  }

  const begin = guarded(joined, gateway, send)
  const subscribing = createSubscribing(joined, tools, tasks)

  const listHits = new Map<CapabilityType, string>()
  function hitsOfList(type: CapabilityType): string {
    const { listTallies } = joined
    if (listTallies.length === 0) return ''
    const known = listHits.get(type)
    if (known !== undefined) return known
    const text = hitsText(listTallies.map((tallies) => tallies[type]))
    listHits.set(type, text)
    return text
  }

  const { mcp_view } = joined.virtualMcp.fragment
  const compact =
    mcp_view === 'compact'
      ? createCompactTools(gateway, joined.capabilities, (id) => joined.members.get(id)!.origin.fragment.name)
      : null

  /** What the discovery of a virtual MCP may cost its caller; null for a look that is not too much. */
  function tooMany(sender: Sender, request: RelayedRequest): RelayedAnswer | null {
    const waitMs = gateway.admitDiscovery(sender.caller)
    if (waitMs <= 0) return null
    const detail = 'Too many list requests are pending. Try again later.'
    const members = { limit_name: 'discovery', retry_after_ms: waitMs }
    return refusal(request, sender, 'rate_limit_exceeded', { detail, members })
  }

  function isModernMember(member: string): boolean {
    const { verdict } = joined.members.get(member)!.origin.fragment
    return verdict === null || isModernVersion(verdict.version)
  }

  /** Answers a method that names one capability. */
  function callNamed(sender: Sender, request: RelayedRequest, noun: string, done: Done) {
    const { params, received } = request
    const retry = parking.read(request)
    const own = retry === null ? request : { ...request, params: withoutRetry(params) }
    const subject = gateway.policySubject(sender.caller)
    const found = find(own, subject)
    if (retry !== null && found.kind !== 'target') parking.end(joined, sender, request, retry)
    switch (found.kind) {
      case 'target':
        return begin(sender, request, found.target, retry, done)
      case 'unknown':
        received.tool = found.name
        if (isLeftOut(joined, request, subject)) received.reason = BEYOND_BINDING
        else if (isHeld(capabilitiesFor(own), own, found.name, subject)) {
          // For the record alone: the caller gets the answer of every hidden name
          received.refusal = 'capability_held'
          received.reason = 'its change waits for approval'
        }
        return done(invalid(found.pointer, `Unknown ${noun}: ${found.name.slice(0, 128)}`))
      case 'invalid':
        return done(invalid(found.pointer, found.reason))
      case 'mismatch':
        return done({
          kind: 'error',
          code: RPC.headerMismatch,
          message: `Header mismatch: ${found.reason}`,
          status: 400,
        })
      case 'refused':
        received.tool = found.name
        return done(refusal(request, sender, 'permission_denied', { detail: found.reason }))
    }
  }

  const server: Server = {
    list(sender, request, type) {
      const refused = tooMany(sender, request)
      if (refused !== null) return refused
      request.received.guardrailHits = hitsOfList(type)
      const seen = capabilitiesFor(request).visible(gateway.policySubject(sender.caller), type)
      return compact !== null && type === 'tools' ? compact.list(seen) : seen
    },
    listen: subscribing.listen,
    call(sender, request, done) {
      const { method, isModern } = request
      const noun = NOUNS.get(method)
      if (noun !== undefined) {
        const opened =
          compact === null || method !== 'tools/call'
            ? { request, done }
            : compact.open(sender, request, () => tooMany(sender, request), done)
        if (opened !== null) callNamed(sender, opened.request, noun, opened.done)
      } else if (method === 'logging/setLevel' && !isModern)
        done(setLevel(tools.logLevels, gateway.holderOf(sender.caller), request))
      else if (SUBSCRIBING.has(method) && !isModern) subscribing.subscribe(sender, request, done)
      else return tasks.answer(sender, request, done)
      return true
    },
  }
  return createRelay({
    about: (_sender, isModern) => (isModern ? about.modern : about.legacy),
    sessions: {
      questions: tools.questions,
      logLevels: tools.logLevels,
      listen: subscribing.listenInSession,
      reserve: ({ caller }) => gateway.reserve(caller),
      holderOf: ({ caller }) => gateway.holderOf(caller),
      ended(sessionId) {
        tools.sessions.clientLeft(sessionId)
        tools.streams.clientLeft(sessionId)
        tools.subscriptions.end(sessionId)
      },
    },
    serverOf: () => server,
    fault: tools.fault,
  })
}

/** The level holds for the session that the message belongs to; without one it is taken and holds for nothing. */
function setLevel(
  levels: LogLevels,
  holder: string,
  { params: { level }, received }: RelayedRequest,
): RelayedAnswer {
  if (!isLogLevel(level)) return invalid('/params/level', 'level is unknown')
  if (received.sessionId !== '') levels.set(holder, received.sessionId, level)
  return { kind: 'result', text: '{}' }
}

/** What the virtual MCP can do: what its origins can. */
function capabilitiesOf({ members, virtualMcp }: JoinedVirtualMcp): Members {
  const declared = [...members.values()].map(
    ({ origin }) => JSON.parse(origin.fragment.verdict?.capabilities ?? '{}') as Members,
  )
  const { names } = virtualMcp.fragment
  const isWatched = [...members.values()].some(({ origin }) => tellsOfResources(origin))
  const has = (type: CapabilityType): boolean => names[type].length > 0
  return {
    ...(has('tools') ? { tools: { listChanged: true } } : {}),
    ...(has('prompts') ? { prompts: { listChanged: true } } : {}),
    ...(has('resources') || has('resource_templates')
      ? { resources: { listChanged: true, ...(isWatched ? { subscribe: true } : {}) } }
      : {}),
    ...(declared.some(({ logging }) => logging !== undefined) ? { logging: {} } : {}),
    ...(declared.some(({ completions }) => completions !== undefined) ? { completions: {} } : {}),
  }
}

/**
 * What differs between the arguments of a tool and their headers. Arguments that the caller cannot give have no header: the schema
 * is the one that the caller is shown.
 */
function mismatchOf(
  { inputSchema }: Plain,
  given: Members,
  mirrored: RelayedRequest['mirrored'],
): string | null {
  if (mirrored === null || !isMembers(inputSchema)) return null
  return mirroredMismatch(mirroredParams(inputSchema), given, mirrored)
}

function misspelt({ pointer, reason }: SpellingFault): Found {
  return { kind: 'invalid', pointer: `/params/arguments${pointer}`, reason }
}

function notA(type: string, pointer: string): Found {
  return {
    kind: 'invalid',
    pointer,
    reason: `${pointer.slice(pointer.lastIndexOf('/') + 1)} must be a ${type}`.replace(
      'a object',
      'an object',
    ),
  }
}

/** True for what callers would see, were the change of its server approved. */
function isHeld(
  capabilities: Capabilities,
  { method }: Pick<RelayedRequest, 'method'>,
  name: string,
  subject: PolicySubject,
): boolean {
  const types: readonly CapabilityType[] =
    method === 'tools/call'
      ? ['tools']
      : method === 'prompts/get'
        ? ['prompts']
        : method === 'resources/read'
          ? ['resources']
          : ['prompts', 'resource_templates']
  return types.some((type) => capabilities.isHeld(subject, type, name))
}

/** True for what the virtual MCP has, and the token of the caller leaves out. */
function isLeftOut(
  { whole }: Pick<JoinedVirtualMcp, 'whole'>,
  { method, params }: Pick<RelayedRequest, 'method' | 'params'>,
  subject: PolicySubject,
): boolean {
  if (whole === undefined) return false
  const { name, uri } = params
  if (method === 'resources/read')
    return typeof uri === 'string' && whole.read(subject, uri).kind !== 'unknown'
  const type = method === 'tools/call' ? 'tools' : 'prompts'
  return typeof name === 'string' && whole.find(subject, type, name) !== null
}
