/** Translates errors of origins for their callers: each era and revision has its own codes. */
import { randomUUID } from 'node:crypto'
import { RUNNER_ERROR } from '../../../base/net/address.ts'
import type { RefusalCode } from '../../../base/refusal.ts'
import type { AnswerVerdict } from '../../../gateway/port.ts'
import { RESOURCE_NOT_FOUND } from '../../http/relay.ts'
import type { OriginReply, RpcError } from '../../origin/answer.ts'
import { RPC } from '../../protocol/answer.ts'
import { isMembers, type Members } from '../../protocol/message.ts'
import type { RelayedAnswer, RelayedRequest } from '../../protocol/relay-port.ts'
import { isPageUrl, offers } from '../input/input-requests.ts'

/** A page must be opened first; 2025-11-25 alone has it (client/elicitation). */
export const URL_NEEDED = -32042
export const URL_NEEDED_VERSION = '2025-11-25'

/** The client lacks a capability (2026-07-28, basic: error codes). */
export const MISSING_CAPABILITY = -32021

/** Errors that only make sense between Postern and an origin, or not in every revision. */
const STAYS: ReadonlySet<number> = new Set([
  RPC.headerMismatch,
  RPC.unsupportedVersion,
  MISSING_CAPABILITY,
  URL_NEEDED,
])

/** The answer to a client that has not declared what the call needs. */
export function answerUndeclared(requiredCapabilities: Members): RelayedAnswer {
  return {
    kind: 'error',
    code: MISSING_CAPABILITY,
    message: 'The call needs a capability that the client has not declared',
    data: { requiredCapabilities },
    status: 400,
  }
}

/**
 * The error that a caller gets for an error of an origin. An error that concerns only Postern and the origin is not passed on.
 * @param asked the URI of resources/read at the origin, and as the caller gave it; null for another method
 */
export function errorFor(
  { code, message, data: given }: RpcError,
  { isModern, version }: Pick<RelayedRequest, 'isModern' | 'version'>,
  isModernOrigin: boolean,
  asked: { readonly own: string; readonly name: string } | null,
): RelayedAnswer {
  const namesAsked = asked !== null && isMembers(given) && given['uri'] === asked.own
  const data = namesAsked ? { ...given, uri: asked.name } : given
  if (code === MISSING_CAPABILITY && isModern && isModernOrigin)
    return { kind: 'error', code, message, data, status: 400 }
  const pages = code === URL_NEEDED && !isModernOrigin ? pagesIn(data) : null
  if (pages !== null && version === URL_NEEDED_VERSION)
    return { kind: 'error', code, message, data: { elicitations: pages } }
  if (STAYS.has(code))
    return { kind: 'error', code: RPC.internalError, message: `The origin refused the request: ${message}` }
  // Each era has its own code for a resource that is not there
  const own = code === RESOURCE_NOT_FOUND && isModern ? RPC.invalidParams : code
  return { kind: 'error', code: own, message, ...(data === undefined ? {} : { data }) }
}

/** The pages that a client is asked to open; null when one of them is none. */
export function pagesIn(data: unknown): readonly Members[] | null {
  const given: unknown = isMembers(data) ? data['elicitations'] : null
  if (!Array.isArray(given)) return null
  const pages = (given as readonly unknown[]).filter(isMembers)
  return pages.length === given.length && pages.every(({ url }) => isPageUrl(url)) ? pages : null
}

// Errors that the runner of stdio servers makes itself, as refusals of a call. Their message is a sentence of the runner, and never output
// of a server. A server could send such an error too: what comes of it is text about this one call, and a wait that is bounded.

export interface RunnerFailure {
  readonly code: RefusalCode
  /** Sentences for the caller. */
  readonly reason: string
  /** Further members of the problem object. */
  readonly members: Members
}

/** Reasons of the runner that say more than that it cannot serve the call now. */
const RUNNER_CODES: Readonly<Record<string, RefusalCode>> = {
  start_failed: 'upstream_unreachable',
  process_ended: 'upstream_unreachable',
  memory_exceeded: 'upstream_unreachable',
  processes_exceeded: 'upstream_unreachable',
  output_invalid: 'upstream_invalid_response',
  start_timeout: 'upstream_timeout',
  call_timeout: 'upstream_timeout',
  credential_invalid: 'credential_unavailable',
}
const RETRY_MS_MAX = 24 * 3_600_000
const RUNNER_MESSAGE_CHARS_MAX = 500

/**
 * What an error of the runner comes to; null for an error of the server itself.
 * @param wasSent false when the call had not been sent: then what the runner says is about a request before it
 */
export function runnerFailureIn({ code, message, data }: RpcError, wasSent: boolean): RunnerFailure | null {
  if (code !== RUNNER_ERROR || !isMembers(data)) return null
  const { reason, executed, retry_after_ms: retryMs } = data
  if (typeof reason !== 'string' || !/^[a-z_]{1,64}$/.test(reason)) return null
  const isWaitKnown = typeof retryMs === 'number' && retryMs >= 0 && retryMs <= RETRY_MS_MAX
  const mayHaveRun = wasSent && executed === 'unknown'
  const text = message.slice(0, RUNNER_MESSAGE_CHARS_MAX).replace(/\.?$/, '.')
  return {
    code: Object.hasOwn(RUNNER_CODES, reason) ? RUNNER_CODES[reason]! : 'upstream_unavailable',
    reason: `${text} ${mayHaveRun ? 'The server may have executed the call.' : 'The server has not executed the call.'}`,
    members: {
      runner_reason: reason,
      executed: mayHaveRun ? 'unknown' : 'no',
      ...(isWaitKnown ? { retry_after_ms: Math.ceil(retryMs) } : {}),
    },
  }
}

// Servers of the official SDKs refuse a call themselves when the client has not declared what it needs. In earlier revisions they have
// no code for that, and say it in words; a client of 2026-07-28 gets the code of its revision.

const UNDECLARED: readonly (readonly [RegExp, name: string, mode: string | null])[] = [
  [/Client does not support url elicitation/i, 'elicitation', 'url'],
  [/Client does not support (form )?elicitation/i, 'elicitation', 'form'],
  [/Client does not support sampling/i, 'sampling', null],
  [/Client does not support listing roots/i, 'roots', null],
  [/\(elicitation\/create\): the client .{0,60}did not declare/, 'elicitation', 'form'],
  [/\(sampling\/createMessage\): the client .{0,60}did not declare/, 'sampling', null],
  [/\(roots\/list\): the client .{0,60}did not declare/, 'roots', null],
]
/** Longer texts are no such refusal. */
const UNDECLARED_CHARS_MAX = 512

/** What the client would have to declare, as capabilities have it; null for a failure that has another reason. */
export function undeclaredIn(text: unknown, capabilities: Members): Members | null {
  if (typeof text !== 'string' || text.length > UNDECLARED_CHARS_MAX) return null
  for (const [pattern, name, mode] of UNDECLARED)
    if (pattern.test(text) && !offers(capabilities, name, mode))
      return { [name]: mode === null ? {} : { [mode]: {} } }
  return null
}

/** The text of a failed tool; null where it is not one text alone. */
export function failureText({ isError, content }: Members): string | null {
  if (isError !== true || !Array.isArray(content) || content.length !== 1) return null
  const [first] = content as readonly unknown[]
  return isMembers(first) && typeof first['text'] === 'string' ? first['text'] : null
}

// What records say of the answers of origins. A tool that fails, and a JSON-RPC error, come with HTTP status 200.

/** @param bytes of the response */
export function verdictOf(method: string, reply: OriginReply, bytes: number): AnswerVerdict {
  switch (reply.kind) {
    case 'result': {
      const hasFailed = reply.plain === null && method === 'tools/call' && reply.result['isError'] === true
      return { code: hasFailed ? 'tool_error' : null, reason: '', bytes }
    }
    case 'error':
      return { code: 'origin_error', reason: `JSON-RPC error ${reply.error.code}`, bytes }
    case 'none':
      return { code: refusalFor(reply), reason: reply.reason, bytes }
    case 'session_gone':
      return { code: null, reason: 'the origin has ended the session', bytes }
  }
}

/** The refusal that a caller gets where no JSON-RPC response came. */
export function refusalFor({ status }: Extract<OriginReply, { kind: 'none' }>): RefusalCode {
  return status === 401 || status === 403 ? 'credential_unavailable' : 'upstream_invalid_response'
}

/** What is known of a call that is made again, after its client was asked to open a page. */
export interface Retried {
  /** How often the client was asked. */
  readonly round: number
  /** The person did not open the page. */
  readonly hasDeclined: boolean
}

/** A page, and what the person reads before it is opened. */
interface Page {
  readonly url: string
  readonly message: string
}

/**
 * How a client sends its person to the page on which an account at an origin is connected: the page to ask a client of 2026-07-28 for, or the answer to one of 2025-11-25. Null for a client that gets the refusal as it is: there is
 * no page, the client opens none, or the person did not open it.
 * @param problem object of `connect_required` @param origin name @param retried null for a call that is made for the first time
 */
export function connectPage(
  { connect_url: url }: Members,
  origin: string,
  { version, isModern, clientCapabilities, params }: RelayedRequest,
  retried: Retried | null,
): Page | RelayedAnswer | null {
  if (!isPageUrl(url) || !offers(clientCapabilities, 'elicitation', 'url')) return null
  const message = `Connect your account at ${origin}, then continue.`
  if (!isModern) {
    if (version !== URL_NEEDED_VERSION) return null
    const elicitations = [{ mode: 'url', elicitationId: randomUUID(), url, message }]
    return { kind: 'error', code: URL_NEEDED, message, data: { elicitations } }
  }
  // The state and the answers that an origin waits for would be lost
  const isOfOrigin = retried === null && params['requestState'] !== undefined
  return isOfOrigin || retried?.hasDeclined === true ? null : { url, message }
}
