/**
 * How clients of a virtual MCP subscribe to changes: `subscriptions/listen` of 2026-07-28, and subscriptions in sessions of
 * earlier revisions.
 *
 * 1. A URI can be subscribed to if it may be read: the capability policy and the guardrails on requests decide as for
 *    `resources/read`.
 * 2. A URI that may not be read is left out of a listen, whose first message names the accepted ones. `resources/subscribe`
 *    and `resources/unsubscribe` answer with the refusal.
 */
import type { Caller } from '../../../gateway/port.ts'
import type { CapabilityType } from '../../../model/mcp/capability.ts'
import type { JoinedVirtualMcp } from '../../../snapshot/find/virtual-mcps.ts'
import { answerListen, type Listened, type Listens } from '../../http/listens.ts'
import type { Sender } from '../../http/message.ts'
import { type Done, invalid } from '../../http/relay.ts'
import type { Members } from '../../protocol/message.ts'
import type { RelayedAnswer, RelayedRequest } from '../../protocol/relay-port.ts'
import {
  isSubscribable,
  NEEDS_STREAM,
  type SessionSubscriptions,
  SUBSCRIBED_CHARS_MAX,
  taskIdsOf,
  type Wanted,
  wantedOf,
} from '../../protocol/subscription.ts'
import { declaresTasks } from '../../protocol/tasks.ts'
import { judgeAlone } from '../call/guarded-call.ts'
import { isUriBlocked } from '../call/message-guard.ts'
import { NOT_DECLARED, type Tasks, type TaskTools } from '../tasks/tasks.ts'
import type { OriginUpdates } from './origin-updates.ts'

/** Methods of earlier revisions. */
export const SUBSCRIBING: ReadonlySet<string> = new Set(['resources/subscribe', 'resources/unsubscribe'])

const DONE: RelayedAnswer = { kind: 'result', text: '{}' }

interface SubscribingTools extends Pick<TaskTools, 'gateway'> {
  readonly listens: Listens
  readonly updates: OriginUpdates
  readonly subscriptions: SessionSubscriptions
}

export interface Subscribing {
  listen(sender: Sender, request: RelayedRequest, done: Done): void
  /** One of {@link SUBSCRIBING}. */
  subscribe(sender: Sender, request: RelayedRequest, done: Done): void
  /** The stream of a session of an earlier revision; null where there are too many. @returns what ends it */
  listenInSession(
    sender: Sender,
    sessionId: string,
    message: (text: string) => void,
    end: () => void,
  ): (() => void) | null
}

export function createSubscribing(
  joined: JoinedVirtualMcp,
  tools: SubscribingTools,
  tasks: Pick<Tasks, 'watch'>,
): Subscribing {
  const { gateway } = tools
  const { slug } = joined.virtualMcp.fragment
  const isGuarded = [...joined.members.values()].some(({ guardrails }) => guardrails !== null)

  /** The URIs whose resources the caller may read, with what the rest of the request is under the guardrails of their members. */
  async function passing(
    sender: Sender,
    request: RelayedRequest,
    uris: ReadonlySet<string>,
  ): Promise<ReadonlySet<string>> {
    const { notifications: _, ...rest } = request.params
    const passes = (member: string, params: Members): Promise<boolean> =>
      new Promise((done) => {
        judgeAlone(joined, gateway, sender, request, member, params, (refused) => done(refused === null))
      })
    const subject = gateway.policySubject(sender.caller)
    const members = new Map<string, boolean>()
    const passed = new Set<string>()
    for (const uri of uris) {
      const admission = joined.capabilities.read(subject, uri)
      if (admission.kind !== 'admitted') continue
      const { member, uri: key } = admission
      const isOpen = members.get(member) ?? (await passes(member, rest))
      members.set(member, isOpen)
      if (isOpen && (await passes(member, { uri: key }))) passed.add(uri)
    }
    return passed
  }

  /** 2026-07-28, basic/patterns: subscriptions. The stream ends when its client leaves, or Postern ends it. */
  function listen(sender: Sender, request: RelayedRequest, done: Done) {
    const { params } = request
    if (!request.readsStreams) return done(NEEDS_STREAM)
    const taskIds = taskIdsOf(params)
    if (taskIds.length > 0 && !declaresTasks(request.clientCapabilities)) return done(NOT_DECLARED)
    const wanted = wantedOf(params)
    if (wanted.uris.size === 0 || !isGuarded) return open(sender, request, wanted, taskIds, done)
    let hasLeft = false
    request.onLeft(() => {
      hasLeft = true
    })
    void passing(sender, request, wanted.uris).then((uris) => {
      if (hasLeft) done({ kind: 'none' })
      else open(sender, request, { ...wanted, uris }, taskIds, done)
    })
  }

  function open(
    sender: Sender,
    request: RelayedRequest,
    wanted: Wanted,
    taskIds: readonly string[],
    done: Done,
  ): void {
    const newsOf: Parameters<typeof answerListen>[5] = (texts, say) =>
      tasks.watch(sender, request, taskIds, (task) => say(texts.task(task)))
    const news = taskIds.length === 0 ? null : newsOf
    answerListen(tools.listens, listenedBy(sender.caller), sender, request, wanted, news, done)
  }

  /** What the caller sees of the virtual MCP, in whatever snapshot is in force. */
  function listenedBy(caller: Caller): Listened {
    let now = joined
    return {
      now() {
        const found = gateway.virtualMcp(caller, slug)
        if (found !== null) now = found
        return found
      },
      lists() {
        const subject = gateway.policySubject(caller)
        const json = (type: CapabilityType): string => now.capabilities.visible(subject, type).json
        return {
          tools: json('tools'),
          prompts: json('prompts'),
          resources: json('resources'),
          resource_templates: json('resource_templates'),
        }
      },
      watch(uri, tell) {
        const admission = now.capabilities.read(gateway.policySubject(caller), uri)
        const member = admission.kind === 'admitted' ? now.members.get(admission.member) : undefined
        if (admission.kind !== 'admitted' || member === undefined) return null
        // A guardrail may have come since the client has asked
        if (member.guardrails !== null && isUriBlocked(member.guardrails, admission.uri)) return null
        return tools.updates.watch(member, caller, admission.uri, tell)
      },
    }
  }

  /** Subscriptions of earlier revisions; what changes is told on the stream of the session. */
  function subscribe(sender: Sender, request: RelayedRequest, done: Done) {
    const { method, params, received } = request
    const { uri } = params
    if (typeof uri !== 'string') return done(invalid('/params/uri', 'uri must be a string'))
    if (!isSubscribable(uri))
      return done(invalid('/params/uri', `uri must have at most ${SUBSCRIBED_CHARS_MAX} characters`))
    if (received.sessionId === '') return done(invalid('/params', 'Subscriptions need a session'))
    const isAdding = method === 'resources/subscribe'
    const session = { holder: gateway.holderOf(sender.caller), sessionId: received.sessionId }
    const go = (): void => {
      if (!isAdding) tools.subscriptions.remove(session, uri)
      const isDone = !isAdding || tools.subscriptions.add(session, uri)
      done(isDone ? DONE : invalid('/params/uri', 'The session has too many subscriptions'))
    }
    const admission = joined.capabilities.read(gateway.policySubject(sender.caller), uri)
    if (admission.kind === 'admitted') {
      const sent = { ...params, uri: admission.uri }
      judgeAlone(joined, gateway, sender, request, admission.member, sent, (refused) => {
        if (refused === null) go()
        else done(refused)
      })
    } else if (isAdding) done(invalid('/params/uri', `Unknown resource: ${uri.slice(0, 128)}`))
    // Nothing of it goes anywhere
    else go()
  }

  /** The stream of a session of an earlier revision. */
  function listenInSession(
    sender: Sender,
    sessionId: string,
    message: (text: string) => void,
    end: () => void,
  ): (() => void) | null {
    const all = (): Wanted => ({
      tools: true,
      prompts: true,
      resources: true,
      uris: tools.subscriptions.of(sessionId),
    })
    const opened = tools.listens.open(sender.caller, listenedBy(sender.caller), all(), {
      notify: (method, uri) =>
        message(JSON.stringify({ jsonrpc: '2.0', method, ...(uri === null ? {} : { params: { uri } }) })),
      end() {
        stop?.()
        end()
      },
    })
    if (opened === null) return null
    const close = (): void => {
      stop()
      opened.close()
    }
    const stop = tools.subscriptions.watch(sessionId, {
      changed: () => opened.want(all()),
      ended() {
        close()
        end()
      },
    })
    return close
  }

  return { listen, subscribe, listenInSession }
}
