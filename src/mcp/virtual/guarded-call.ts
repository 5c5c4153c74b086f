/** Messages to an origin under the guardrails of the virtual MCP and of the origin. */
import type { RefusalCode } from '../../base/refusal.ts'
import { hitsText } from '../../gateway/record.ts'
import type { JoinedVirtualMcp } from '../../snapshot/find/virtual-mcps.ts'
import type { Sender } from '../http/caller.ts'
import type { Members } from '../protocol/message.ts'
import type { RelayedAnswer, RelayedRequest } from '../protocol/relay.ts'
import { MessageGuard } from './message-guard.ts'
import type { Target } from './origin-call.ts'
import type { Retry } from './parking.ts'
import { refusal } from './refusal.ts'

type Send = (
  sender: Sender,
  request: RelayedRequest,
  target: Target,
  retry: Retry | null,
  /** @param code of a refusal that Postern itself has written */
  done: (answer: RelayedAnswer, code?: RefusalCode) => void,
) => void

const UNUSABLE_GUARDRAIL =
  'A guardrail of the virtual MCP or of its origin cannot be used, so no call is let through. Operators see the reason in the log of the process and in the record of the call.'

/** Sends as `send` does what the guardrails let pass, and gives its answer as they leave it. */
export function guarded({ members }: JoinedVirtualMcp, send: Send): Send {
  return (sender, request, target, retry, done) => {
    const { guardrails } = members.get(target.member)!
    if (guardrails === null) {
      send(sender, request, target, retry, done)
      return
    }
    const { received } = request
    if (guardrails.fault !== null) {
      received.reason = guardrails.fault
      done(refusal(request, sender, 'route_unavailable', { detail: UNUSABLE_GUARDRAIL }))
      return
    }
    const guard = new MessageGuard(guardrails, target.outputSchema ?? null)
    const params = guard.request(target.params)
    const retried = retry === null || params === null ? request.params : repliesUnder(guard, request.params)
    if (params === null || retried === null) {
      const { code, facts, reason } = guard.refusal!
      received.guardrailHits = hitsText([guard.tally])
      received.reason = reason
      done(refusal(request, sender, code, facts))
      return
    }
    const asked = guard.talk(retry === null ? request : { ...request, params: retried })
    send(sender, asked, { ...target, params, guard }, retry, (answer, code) => {
      const passed = code === undefined ? guard.answer(answer) : answer
      if (passed !== null) done(passed)
      else done(refusal(request, sender, guard.refusal!.code, guard.refusal!.facts))
    })
  }
}

/** What a client answers comes with the retry of a call that waits. All else is the call, which was sent before. */
function repliesUnder(guard: MessageGuard, params: Members): Members | null {
  const { inputResponses } = params
  const passed = inputResponses === undefined ? params : guard.request({ inputResponses })
  return passed === null ? null : { ...params, ...passed }
}
