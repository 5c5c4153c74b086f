/** What records say of the answers of origins. A tool that fails, and a JSON-RPC error, come with HTTP status 200. */
import type { RefusalCode } from '../../base/refusal.ts'
import type { AnswerVerdict } from '../../gateway/port.ts'
import type { OriginReply } from '../origin/answer.ts'

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
