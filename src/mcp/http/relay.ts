/**
 * Answers that the MCP endpoints of the gateway make themselves: refusals, results of their own tools, and lists. The refusal
 * of a tool is a result, because the model reads it. Other methods only have errors.
 */
import { ownedText } from '../../base/memory/bytes.ts'
import {
  type FieldError,
  PROBLEMS,
  type RefusalCode,
  type RefusalFacts,
  refuse,
  toProblem,
} from '../../base/refusal.ts'
import type { CapabilityType } from '../../model/mcp/capability.ts'
import { RPC } from '../protocol/answer.ts'
import type { Members } from '../protocol/message.ts'
import type { Relay, RelayedAnswer, RelayedRequest } from '../protocol/relay-port.ts'
import { toolResult } from '../protocol/run-tool-call.ts'
import type { ToolOutcome } from '../protocol/tool-call.ts'
import { messageId, type Sender } from './message.ts'

type Result = Extract<RelayedAnswer, { kind: 'result' }>

/** What a tool has come to. */
export type ToolResult = Extract<ToolOutcome, { kind: 'result' }>

/** Milliseconds for which a client may keep a list, which depends on what its profile may call (2026-07-28: ttlMs). */
const LIST_TTL_MS = 60_000
/** What a client of 2026-07-28 is told of what it may keep. What a caller sees depends on its permissions, so nothing is public. */
export const KEPT = `,"ttlMs":${LIST_TTL_MS},"cacheScope":"private"`

/** Code of a resource that is not there, before 2026-07-28. */
export const RESOURCE_NOT_FOUND = -32002

/** The refusal of an answer that its caller does not read. */
export const NO_ROOM = {
  code: 'overloaded',
  detail:
    'The call was carried out, but its response was dropped: the gateway holds too many unread responses. Read responses faster, or send fewer requests at once.',
  retryAfterMs: null,
} as const

export const INTERNAL: RelayedAnswer = {
  kind: 'error',
  code: RPC.internalError,
  message: 'Internal error',
}

/** A result whose structured content is `value`. */
export function given(value: Readonly<Record<string, unknown>>): ToolResult {
  return { kind: 'result', json: JSON.stringify(value), isError: false }
}

/** A refusal that the model can read and act on: the problem object as an error result. */
export function refused(code: RefusalCode, requestId: string, facts: RefusalFacts): ToolResult {
  const json = JSON.stringify(toProblem(refuse(code, facts), requestId))
  return { kind: 'result', json, isError: true, refusal: code }
}

/**
 * The refusal of arguments that have the wrong form.
 * @param errors at least one; the first is the detail. Pointers are into the arguments.
 * @param example a call that would be right; null where the list of tools shows it
 */
export function parameterInvalid(
  requestId: string,
  errors: readonly FieldError[],
  example: Members | null,
): ToolResult {
  const first = errors[0]!
  const detail = `${first.pointer}: ${first.reason}`
  const members = example === null ? {} : { members: { example } }
  return refused('parameter_invalid', requestId, { detail, errors, ...members })
}

/**
 * The result with these members, as text of JSON.
 * @param meta further members of results of 2026-07-28, such as `,"_meta":{…}`; or empty
 */
export function resultOf(members: string, isModern: boolean, meta = ''): Result {
  return {
    kind: 'result',
    text: isModern ? `{"resultType":"complete",${members}${meta}}` : `{${members}}`,
  }
}

/** What a tool has come to, which the record of the message names. @param meta see {@link resultOf} */
export function toolAnswer(
  { isModern, received }: Pick<RelayedRequest, 'isModern' | 'received'>,
  outcome: ToolResult,
  meta?: string,
): RelayedAnswer {
  received.outcome = outcome
  return resultOf(toolResult(outcome), isModern, meta)
}

/** A refusal, which the record of the message names. */
export function refusal(
  request: RelayedRequest,
  { requestId }: Sender,
  code: RefusalCode,
  facts: RefusalFacts,
): RelayedAnswer {
  const outcome = refused(code, requestId, facts)
  if (request.method === 'tools/call') return toolAnswer(request, outcome)
  request.received.outcome = outcome
  const data: unknown = JSON.parse(outcome.json)
  return { kind: 'error', code: PROBLEMS[code].status, message: facts.detail ?? PROBLEMS[code].title, data }
}

/** The answer to parameters that cannot be used. @param pointer RFC 6901, into the message */
export function invalid(pointer: string, message: string): RelayedAnswer {
  return { kind: 'error', code: RPC.invalidParams, message, data: { pointer } }
}

function unknownMethod(method: string): RelayedAnswer {
  const data = { method }
  return { kind: 'error', code: RPC.methodNotFound, message: 'Method not found', data, status: 404 }
}

/** A list with the JSON of its array. */
export interface Listed {
  readonly json: string
}

/** The items as a list. */
export function listed(items: readonly unknown[]): Listed {
  return { json: JSON.stringify(items) }
}

/** Answers by list, which is one object as long as nothing changed, and by era. */
const answers = new WeakMap<Listed, (RelayedAnswer | undefined)[]>()

/**
 * The answer with a list, made once for all callers that see the same.
 * @param meta see {@link resultOf}; the same for one list
 */
export function listAnswer(list: Listed, member: string, isModern: boolean, meta = ''): RelayedAnswer {
  let known = answers.get(list)
  if (known === undefined) {
    known = []
    answers.set(list, known)
  }
  const era = isModern ? 1 : 0
  const made = known[era]
  if (made !== undefined) return made
  const { text } = resultOf(`"${member}":${list.json}${isModern ? KEPT : ''}`, isModern, meta)
  const answer: RelayedAnswer = { kind: 'result', text, bytes: Buffer.from(ownedText(text).buffer) }
  known[era] = answer
  return answer
}

// Dispatches the methods of all MCP endpoints of the gateway: lists, listens, and all others. The server of a caller answers
// them: a virtual MCP, or a view of the endpoints at `/mcp`.

/** What the callers of one server are served. */
export interface Server {
  /** What the sender sees of a type, the same object for all that see the same; a refusal; or null where there is no such list. */
  list(sender: Sender, request: RelayedRequest, type: CapabilityType): Listed | RelayedAnswer | null
  /** Tells a client of 2026-07-28 of changes. */
  listen(sender: Sender, request: RelayedRequest, done: Done): void
  /** Answers any other method. False for one that is not there: then nothing was answered. */
  call(sender: Sender, request: RelayedRequest, done: Done): boolean
}

export type Done = (answer: RelayedAnswer) => void

interface RelayParts extends Pick<Relay<Sender>, 'about' | 'sessions'> {
  /** What serves the sender, now or later; or what is wrong with its request. */
  readonly serverOf: (sender: Sender) => Server | Promise<Server> | RelayedAnswer
  readonly fault: (error: unknown, requestId: string) => void
  /** Members that each result of 2026-07-28 has, see `resultOf`. */
  readonly meta?: string
}

/** The list that each method asks for, and the member of its result (2026-07-28, server). */
const LISTS: ReadonlyMap<string, readonly [type: CapabilityType, member: string]> = new Map([
  ['tools/list', ['tools', 'tools']],
  ['prompts/list', ['prompts', 'prompts']],
  ['resources/list', ['resources', 'resources']],
  ['resources/templates/list', ['resource_templates', 'resourceTemplates']],
])

/** The relay of one gateway thread. */
export function createRelay({ about, sessions, serverOf, fault, meta = '' }: RelayParts): Relay<Sender> {
  function dispatch(server: Server, sender: Sender, request: RelayedRequest, done: Done) {
    const { method, params, isModern } = request
    const list = LISTS.get(method)
    if (list !== undefined) {
      const [type, member] = list
      if (params['cursor'] !== undefined) return done(invalid('/params/cursor', 'Unknown cursor'))
      const seen = server.list(sender, request, type)
      if (seen === null) return done(unknownMethod(method))
      return done('kind' in seen ? seen : listAnswer(seen, member, isModern, meta))
    }
    if (method === 'subscriptions/listen' && isModern) return server.listen(sender, request, done)
    if (!server.call(sender, request, done)) done(unknownMethod(method))
  }

  return {
    about,
    sessions,
    answer(given, request, done) {
      const { place } = request.received
      const sender = place === 0 ? given : { ...given, requestId: messageId(given.requestId, place) }
      const failed = (error: unknown): void => {
        fault(error, sender.requestId)
        done(INTERNAL)
      }
      try {
        const server = serverOf(sender)
        if (server instanceof Promise)
          server.then((found) => dispatch(found, sender, request, done)).catch(failed)
        else if ('kind' in server) done(server)
        else dispatch(server, sender, request, done)
      } catch (error) {
        failed(error)
      }
    },
  }
}
