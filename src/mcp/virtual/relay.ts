/**
 * What a virtual MCP answers. Lists come from the snapshot. A call finds its capability by the public name, and goes to the origin
 * through the stages that every request passes. Hidden and unknown names have one answer.
 */
import { PROBLEMS, type RefusalCode, type RefusalFacts } from '../../base/refusal.ts'
import type { CapabilityType } from '../../model/capability.ts'
import type { CapabilityKey } from '../../model/capability-drift.ts'
import type { Caller as PolicySubject } from '../../snapshot/find/capability-caller.ts'
import type { JoinedVirtualMcp } from '../../snapshot/find/virtual-mcps.ts'
import { messageId } from '../http/account.ts'
import type { Sender } from '../http/caller.ts'
import { refused } from '../http/outcome.ts'
import { RPC } from '../protocol/answer.ts'
import { isLogLevel, type LogLevels } from '../protocol/log-levels.ts'
import { isMembers, type Members } from '../protocol/message.ts'
import type { Relay, RelayedAnswer, RelayedRequest } from '../protocol/relay.ts'
import type { SessionSubscriptions } from '../protocol/session-subscriptions.ts'
import { isModernVersion } from '../protocol/versions.ts'
import { callEndpoint } from './endpoint-call.ts'
import type { Listens, Wanted } from './listens.ts'
import { LISTS, listText } from './lists.ts'
import { OriginCall, type OriginCallTools, type Target } from './origin-call.ts'
import { resultFor, toolErrorText } from './results.ts'

const EMPTY: Members = Object.freeze({})
/** Endpoints suggest no values of their arguments. */
const NO_COMPLETION: Members = { completion: { values: [], total: 0, hasMore: false } }

/** What a method is about that names one capability. */
const NOUNS: Readonly<Record<string, string>> = {
  'tools/call': 'tool',
  'prompts/get': 'prompt',
  'resources/read': 'resource',
  'completion/complete': 'prompt or resource template',
}

type Found =
  | { readonly kind: 'target'; readonly target: Target }
  | { readonly kind: 'unknown'; readonly pointer: string; readonly name: string }
  | { readonly kind: 'refused'; readonly name: string; readonly reason: string }
  | { readonly kind: 'invalid'; readonly pointer: string; readonly reason: string }

const SUBSCRIBING: ReadonlySet<string> = new Set(['resources/subscribe', 'resources/unsubscribe'])
/** Member of `_meta` that names the listen which a message belongs to (2026-07-28). */
const SUBSCRIPTION_ID = 'io.modelcontextprotocol/subscriptionId'
/** Resources that one listen may name; further ones are not honoured. */
const URIS_MAX = 100

export interface RelayTools extends OriginCallTools {
  readonly listens: Listens
  readonly subscriptions: SessionSubscriptions
}

/** The relay of a virtual MCP as it is in one snapshot. */
export function createRelay(joined: JoinedVirtualMcp, tools: RelayTools): Relay<Sender> {
  const { capabilities } = joined
  const { gateway } = tools

  function find(method: string, params: Members, subject: PolicySubject): Found {
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
    if (method === 'completion/complete') return findCompleted(params, subject)
    const { name } = params
    if (typeof name !== 'string') return notA('string', '/params/name')
    if (!isMembers(given)) return notA('object', '/params/arguments')
    const type = method === 'tools/call' ? 'tools' : 'prompts'
    const admission = capabilities.call(subject, type, name, given)
    if (admission.kind === 'unknown') return { kind: 'unknown', pointer: '/params/name', name }
    if (admission.kind === 'refused') return { kind: 'refused', name, reason: admission.reason }
    const { item } = admission
    const sent =
      given === EMPTY && Object.keys(admission.arguments).length === 0
        ? {}
        : { arguments: admission.arguments }
    const schema = type === 'tools' && isMembers(item.shown['inputSchema']) ? item.shown['inputSchema'] : null
    const target = { member: item.member, name, params: { ...params, name: item.key, ...sent }, schema }
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
  function findCompleted(params: Members, subject: PolicySubject): Found {
    const { ref, argument } = params
    if (!isMembers(ref)) return notA('object', '/params/ref')
    const isPrompt = ref['type'] === 'ref/prompt'
    const member = isPrompt ? 'name' : 'uri'
    const name = ref[member]
    if (typeof name !== 'string') return notA('string', `/params/ref/${member}`)
    const item = capabilities.find(subject, isPrompt ? 'prompts' : 'resource_templates', name)
    if (item === null) return { kind: 'unknown', pointer: `/params/ref/${member}`, name }
    if (isMembers(argument) && item.closed.has(String(argument['name'])))
      return { kind: 'refused', name, reason: 'the argument is not for callers' }
    const inner = { ...ref, [member]: item.key }
    const target = { member: item.member, name, params: { ...params, ref: inner } }
    return located(target, item, subject, `/params/ref/${member}`)
  }

  function begin(
    sender: Sender,
    request: RelayedRequest,
    target: Target,
    done: (answer: RelayedAnswer) => void,
  ): void {
    const { endpoint, member } = target
    if (endpoint === null) new OriginCall(joined, tools, sender, request, target, done).begin()
    else if (request.method === 'completion/complete')
      done({ kind: 'result', text: resultFor(request.method, NO_COMPLETION, false, request.isModern) })
    else callEndpoint(joined.members.get(member)!, endpoint, tools, sender, request, target, done)
  }

  const { slug } = joined.virtualMcp.fragment

  /** 2026-07-28, basic/patterns: subscriptions. The stream ends when its client leaves, or Postern ends it. */
  function listen(sender: Sender, request: RelayedRequest, done: (answer: RelayedAnswer) => void): void {
    const { id, params, notify } = request
    const asked = isMembers(params['notifications']) ? params['notifications'] : EMPTY
    const uris = asked['resourceSubscriptions']
    const wanted: Wanted = {
      tools: asked['toolsListChanged'] === true,
      prompts: asked['promptsListChanged'] === true,
      resources: asked['resourcesListChanged'] === true,
      uris: new Set(
        Array.isArray(uris) ? uris.filter((uri) => typeof uri === 'string').slice(0, URIS_MAX) : [],
      ),
    }
    const _meta = { [SUBSCRIPTION_ID]: id }
    const opened = tools.listens.open(sender.caller, slug, wanted, {
      notify: (name, uri) =>
        notify(
          JSON.stringify({
            jsonrpc: '2.0',
            method: name,
            params: { ...(uri === null ? {} : { uri }), _meta },
          }),
        ),
      end: () => done({ kind: 'result', text: JSON.stringify({ resultType: 'complete', _meta }) }),
    })
    if (opened === null) {
      const detail = 'Too many streams are open for the client.'
      done(refusal(request, sender, 'concurrency_exceeded', { detail }))
      return
    }
    const notifications = {
      ...(wanted.tools ? { toolsListChanged: true } : {}),
      ...(wanted.prompts ? { promptsListChanged: true } : {}),
      ...(wanted.resources ? { resourcesListChanged: true } : {}),
      ...(opened.honoured.size === 0 ? {} : { resourceSubscriptions: [...opened.honoured] }),
    }
    request.onLeft(() => opened.close())
    const method = 'notifications/subscriptions/acknowledged'
    notify(JSON.stringify({ jsonrpc: '2.0', method, params: { notifications, _meta } }))
  }

  /** Subscriptions of earlier revisions; what changes is told on the stream of the session. */
  function subscribe(sender: Sender, { method, params, received }: RelayedRequest): RelayedAnswer {
    const { uri } = params
    if (typeof uri !== 'string') return invalid('/params/uri', 'uri must be a string')
    if (received.sessionId === '') return invalid('/params', 'Subscriptions need a session')
    if (method === 'resources/unsubscribe') {
      tools.subscriptions.remove(received.sessionId, uri)
      return { kind: 'result', text: '{}' }
    }
    if (capabilities.read(gateway.policySubject(sender.caller), uri).kind !== 'admitted')
      return invalid('/params/uri', `Unknown resource: ${uri.slice(0, 128)}`)
    return tools.subscriptions.add(received.sessionId, uri)
      ? { kind: 'result', text: '{}' }
      : invalid('/params/uri', 'The session has too many subscriptions')
  }

  return {
    capabilities: capabilitiesOf(joined),
    questions: tools.questions,
    logLevels: tools.logLevels,
    listen(sender, sessionId, message, end) {
      const wantedOf = (): Wanted => ({
        tools: true,
        prompts: true,
        resources: true,
        uris: tools.subscriptions.of(sessionId),
      })
      const opened = tools.listens.open(sender.caller, slug, wantedOf(), {
        notify: (method, uri) =>
          message(JSON.stringify({ jsonrpc: '2.0', method, ...(uri === null ? {} : { params: { uri } }) })),
        end() {
          stop?.()
          end()
        },
      })
      if (opened === null) return null
      const stop = tools.subscriptions.watch(sessionId, () => opened.want(wantedOf()))
      return () => {
        stop()
        opened.close()
      }
    },
    answer(sender, request, done) {
      const { method, params, isModern, received } = request
      const list = LISTS[method]
      if (list !== undefined) {
        if (params['cursor'] !== undefined) return done(invalid('/params/cursor', 'Unknown cursor'))
        const waitMs = gateway.admitDiscovery(sender.caller)
        if (waitMs > 0) {
          const detail = 'Too many lists are asked for.'
          const members = { limit_name: 'discovery', retry_after_ms: waitMs }
          return done(refusal(request, sender, 'rate_limit_exceeded', { detail, members }))
        }
        const seen = capabilities.visible(gateway.policySubject(sender.caller), list[0])
        return done({ kind: 'result', text: listText(seen, list[1], isModern) })
      }
      if (method === 'logging/setLevel' && !isModern) return done(setLevel(tools.logLevels, request))
      if (method === 'subscriptions/listen' && isModern) return listen(sender, request, done)
      if (SUBSCRIBING.has(method) && !isModern) return done(subscribe(sender, request))
      const noun = NOUNS[method]
      if (noun === undefined) return done(unknownMethod(method))
      const found = find(method, params, gateway.policySubject(sender.caller))
      switch (found.kind) {
        case 'target':
          return begin(sender, request, found.target, done)
        case 'unknown':
          received.tool = found.name
          return done({
            kind: 'error',
            code: RPC.invalidParams,
            message: `Unknown ${noun}: ${found.name.slice(0, 128)}`,
            data: { pointer: found.pointer },
          })
        case 'invalid':
          return done(invalid(found.pointer, found.reason))
        case 'refused': {
          received.tool = found.name
          const detail = `The capability policy does not allow it: ${found.reason}.`
          return done(refusal(request, sender, 'permission_denied', { detail }))
        }
      }
    },
  }
}

/** The level holds for the session that the message belongs to; without one it is taken and holds for nothing. */
function setLevel(levels: LogLevels, { params: { level }, received }: RelayedRequest): RelayedAnswer {
  if (!isLogLevel(level)) return invalid('/params/level', 'level is unknown')
  if (received.sessionId !== '') levels.set(received.sessionId, level)
  return { kind: 'result', text: '{}' }
}

/** What the virtual MCP can do: what its origins can. */
function capabilitiesOf({ members, virtualMcp }: JoinedVirtualMcp): Members {
  const declared = [...members.values()].map(
    ({ origin }) => JSON.parse(origin.fragment.verdict?.capabilities ?? '{}') as Members,
  )
  const { names } = virtualMcp.fragment
  const isWatched = [...members.values()].some(
    ({ origin }) => origin.fragment.verdict !== null && isModernVersion(origin.fragment.verdict.version),
  )
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

function invalid(pointer: string, message: string): RelayedAnswer {
  return { kind: 'error', code: RPC.invalidParams, message, data: { pointer } }
}

function unknownMethod(method: string): RelayedAnswer {
  return {
    kind: 'error',
    code: RPC.methodNotFound,
    message: 'Method not found',
    data: { method },
    status: 404,
  }
}

/** A refusal, which the record of the message names. A model reads that of a tool as its result; other methods have errors alone. */
function refusal(
  { method, isModern, received }: RelayedRequest,
  { requestId }: Sender,
  code: RefusalCode,
  facts: RefusalFacts,
): RelayedAnswer {
  const outcome = refused(code, messageId(requestId, received.place), facts)
  received.outcome = outcome
  if (method === 'tools/call') return { kind: 'result', text: toolErrorText(outcome.json, isModern) }
  const data: unknown = JSON.parse(outcome.json)
  return { kind: 'error', code: PROBLEMS[code].status, message: facts.detail ?? PROBLEMS[code].title, data }
}
