/** Runs `tools/call` for both eras. */
import { errorText, RPC, resultText } from './answer.ts'
import type { ToolDoor } from './door.ts'
import { isMembers, type Members, type RpcId } from './message.ts'
import type { ReceivedMessage } from './received-message.ts'
import type { Reply } from './sealed-elicitation.ts'
import type { ToolCall, ToolOutcome } from './tool-call.ts'

const NO_ARGUMENTS: Members = Object.freeze({})

/** How an era puts questions to the person behind a client. */
export interface Asking {
  readonly replyTo: (call: Pick<ToolCall, 'name' | 'arguments'>) => Reply | null | Promise<Reply | null>
  /**
   * Text of the result that asks; null when the call waits instead. Then `again` runs it with what the person said, or
   * ends it without a response.
   */
  readonly ask: (
    call: Pick<ToolCall, 'name' | 'arguments'>,
    question: Question,
    again: (reply: Reply | null) => void,
  ) => string | null
}

type Question = Extract<ToolOutcome, { kind: 'question' }>

/**
 * Runs `tools/call` and gives the text of the JSON-RPC response, or null when it was cancelled; what became of it goes into `received` too. `seal` adds
 * what the era puts around a result. `asking` is null for a client that takes no questions; no door has any for it.
 */
export function callTool<Caller>(
  door: ToolDoor<Caller>,
  caller: Caller,
  params: Members,
  id: RpcId,
  received: ReceivedMessage,
  seal: (result: string) => string,
  asking: Asking | null,
  fault: (error: unknown) => void,
  done: (text: string | null) => void,
): void {
  const name = params['name']
  const given = params['arguments'] ?? NO_ARGUMENTS
  if (typeof name !== 'string' || !isMembers(given)) {
    const pointer = typeof name !== 'string' ? '/params/name' : '/params/arguments'
    const reason = typeof name !== 'string' ? 'name must be a string' : 'arguments must be an object'
    received.error = RPC.invalidParams
    done(errorText(id, RPC.invalidParams, reason, { pointer }))
    return
  }
  let answered = false
  const answer = (text: string | null): void => {
    if (answered) return
    answered = true
    done(text)
  }
  const { agent, sessionId, conversationId, trace, place, hangUpCancels } = received
  const asked = { name, arguments: given }
  const run = (reply: Reply | null): void => {
    const call: ToolCall = {
      name,
      arguments: given,
      id,
      agent,
      sessionId,
      conversationId,
      trace,
      place,
      hangUpCancels,
      canAsk: asking !== null,
      reply,
    }
    try {
      door.call(caller, call, (outcome) => {
        received.outcome = outcome
        if (outcome.kind === 'cancelled') return answer(null)
        if (outcome.kind === 'result') return answer(resultText(id, seal(toolResult(outcome))))
        if (outcome.kind === 'question' && asking !== null) {
          const text = asking.ask(asked, outcome, (said) => (said === null ? answer(null) : run(said)))
          return text === null ? undefined : answer(resultText(id, text))
        }
        received.error = RPC.invalidParams
        const data = outcome.kind === 'question' ? undefined : outcome.data
        answer(errorText(id, RPC.invalidParams, outcome.message, data))
      })
    } catch (error) {
      fault(error)
      received.error = RPC.internalError
      answer(errorText(id, RPC.internalError, 'Internal error'))
    }
  }
  const reply = asking === null ? null : asking.replyTo(asked)
  if (reply instanceof Promise) void reply.then(run)
  else run(reply)
}

/** Members of a CallToolResult without the closing brace's neighbours: `"content":…,"structuredContent":…,"isError":…`. */
export function toolResult(outcome: Extract<ToolOutcome, { kind: 'result' }>): string {
  const { json, quoted = JSON.stringify(json).slice(1, -1), isError, blocks } = outcome
  const further = blocks === undefined || blocks.length === 0 ? '' : `,${JSON.stringify(blocks).slice(1, -1)}`
  return `"content":[{"type":"text","text":"${quoted}"}${further}],"structuredContent":${json},"isError":${isError}`
}
