/** Writes results of origins in the form of the client's revision. */
import { withDigits } from '../../../base/json/exact.ts'
import type { ResultReply } from '../../origin/answer.ts'
import type { Members } from '../../protocol/message.ts'
import type { RelayedAnswer } from '../../protocol/relay-port.ts'

/** Members of results that came with 2026-07-28. */
const MODERN_MEMBERS: ReadonlySet<string> = new Set(['resultType', 'ttlMs', 'cacheScope'])

/** The answer of what suggests no values of its arguments, such as an endpoint. */
export const NO_COMPLETION: Members = { completion: { values: [], total: 0, hasMore: false } }

/** Methods whose results say how long they may be kept (2026-07-28, server/resources). */
const KEPT: ReadonlySet<string> = new Set(['resources/read'])

/**
 * A plain result of a tool that passes as its origin wrote it, so that its values need not be built; null for any other.
 */
export function passedResult(
  method: string,
  { plain }: ResultReply,
  isModernOrigin: boolean,
  isModernClient: boolean,
): RelayedAnswer | null {
  if (plain === null || method !== 'tools/call' || (isModernOrigin && !isModernClient)) return null
  if (plain.hasType || !isModernClient) return new PassedResult(plain.bytes)
  return { kind: 'result', text: withType(plain.bytes.toString('utf8')) }
}

/** Its text is made when it is asked for. */
class PassedResult {
  readonly kind = 'result'
  readonly bytes: Buffer

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  get text(): string {
    return this.bytes.toString('utf8')
  }
}

/**
 * Text of a complete result.
 * @param isModernOrigin the origin speaks 2026-07-28 or later
 * @param text of the result as its origin wrote it; null where it must be written anew
 */
export function resultFor(
  method: string,
  result: Members,
  isModernOrigin: boolean,
  isModernClient: boolean,
  text: string | null = null,
): string {
  if (!isModernClient) {
    if (!isModernOrigin) return text ?? JSON.stringify(withDigits(result))
    return JSON.stringify(
      withDigits(Object.fromEntries(Object.entries(result).filter(([name]) => !MODERN_MEMBERS.has(name)))),
    )
  }
  // What an origin calls public may be public for its callers, of whom Postern is one
  if (KEPT.has(method)) {
    const kept = { ttlMs: 0, ...(isModernOrigin ? ttlOf(result) : {}), cacheScope: 'private' }
    return JSON.stringify(withDigits({ resultType: 'complete', ...result, ...kept }))
  }
  if (text === null || Object.keys(result).length === 0)
    return JSON.stringify(withDigits({ resultType: 'complete', ...result }))
  return result['resultType'] === undefined ? withType(text) : text
}

/** @param text of a result with members */
function withType(text: string): string {
  return `{"resultType":"complete",${text.slice(1)}`
}

function ttlOf({ ttlMs }: Members): Members {
  return typeof ttlMs === 'number' && ttlMs >= 0 ? { ttlMs } : {}
}

/** A notification without what the origin may have added to it. */
export function notificationText(method: string, params: Members): string {
  return JSON.stringify(withDigits({ jsonrpc: '2.0', method, params }))
}
