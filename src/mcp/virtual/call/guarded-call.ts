/** Applies the guardrails of the virtual MCP and of the origin to a call. */
import type { RefusalCode } from '../../../base/refusal.ts'
import type { GatewayPort } from '../../../gateway/port.ts'
import { hitsText } from '../../../gateway/record.ts'
import type { JoinedVirtualMcp } from '../../../snapshot/find/virtual-mcps.ts'
import type { McpGuardrails } from '../../../snapshot/linked-types/guardrail.ts'
import type { Sender } from '../../http/message.ts'
import { refusal } from '../../http/relay.ts'
import type { Members } from '../../protocol/message.ts'
import type { RelayedAnswer, RelayedRequest } from '../../protocol/relay-port.ts'
import type { Retry } from '../input/parking.ts'
import { MessageGuard } from './message-guard.ts'
import type { Target } from './origin-call.ts'

type Send = (
  sender: Sender,
  request: RelayedRequest,
  target: Target,
  retry: Retry | null,
  /** @param code of a refusal that Postern itself has written */
  done: (answer: RelayedAnswer, code?: RefusalCode) => void,
) => void

const UNUSABLE_GUARDRAIL =
  'A guardrail of the virtual MCP or of its origin cannot be used, so every call is refused. Operators find the reason in the process log and in the request record.'

/** Sends as `send` does what the guardrails let pass, and gives its answer as they leave it. */
export function guarded(
  { members }: JoinedVirtualMcp,
  gateway: Pick<GatewayPort, 'askWebhook' | 'giveUpWith'>,
  send: Send,
): Send {
  return (sender, request, target, retry, done) => {
    const { guardrails } = members.get(target.member)!
    if (guardrails === null) {
      send(sender, request, target, retry, done)
      return
    }
    const unusable = faultAnswer(guardrails, sender, request)
    if (unusable !== null) {
      done(unusable)
      return
    }
    const { received } = request
    const guard = new MessageGuard(guardrails, target.outputSchema ?? null, gateway.askWebhook(sender.caller))
    const go = (params: Members | null, retried: Members | null): void => {
      if (params === null || retried === null) {
        done(blockedAnswer(guard, sender, request))
        return
      }
      const asked = guard.talk(retry === null ? request : { ...request, params: retried })
      send(sender, asked, { ...target, params, guard }, retry, (answer, code) => {
        const give = (passed: RelayedAnswer | null): void => {
          if (passed !== null) done(passed)
          else done(refusal(request, sender, guard.refusal!.code, guard.refusal!.facts))
        }
        const passed = code === undefined ? guard.answer(answer) : answer
        if (passed instanceof Promise) void passed.then(give)
        else give(passed)
      })
    }
    const params = guard.request(target.params)
    const retried = retry === null || params === null ? request.params : repliesUnder(guard, request.params)
    if (!(params instanceof Promise) && !(retried instanceof Promise)) {
      go(params, retried)
      return
    }
    let hasLeft = false
    const handle = {
      abort() {
        hasLeft = true
      },
    }
    if (received.hangUpCancels) gateway.giveUpWith(sender.incoming, handle)
    void Promise.all([params, retried]).then(([one, other]) => {
      // Nothing was sent yet for a caller who has left
      if (hasLeft) done({ kind: 'none' })
      else go(one, other)
    })
  }
}

/**
 * Judges a request that Postern itself answers, as one that goes to the member.
 * @param params what of the request is judged @param done the refusal; null where nothing refuses it
 */
export function judgeAlone(
  { members }: JoinedVirtualMcp,
  gateway: Pick<GatewayPort, 'askWebhook'>,
  sender: Sender,
  request: RelayedRequest,
  member: string,
  params: Members,
  done: (refused: RelayedAnswer | null) => void,
) {
  const { guardrails } = members.get(member)!
  if (guardrails === null) return done(null)
  const unusable = faultAnswer(guardrails, sender, request)
  if (unusable !== null) return done(unusable)
  const guard = new MessageGuard(guardrails, null, gateway.askWebhook(sender.caller))
  const settled = (passed: Members | null) => {
    if (passed === null) return done(blockedAnswer(guard, sender, request))
    request.received.guardrailHits = hitsText([guard.tally])
    done(null)
  }
  const judged = guard.request(params)
  if (judged instanceof Promise) void judged.then(settled)
  else settled(judged)
}

function faultAnswer(
  { fault }: McpGuardrails,
  sender: Sender,
  request: RelayedRequest,
): RelayedAnswer | null {
  if (fault === null) return null
  request.received.reason = fault
  return refusal(request, sender, 'route_unavailable', { detail: UNUSABLE_GUARDRAIL })
}

/** Of a guard that has not let a request pass. */
function blockedAnswer({ refusal: why, tally }: MessageGuard, sender: Sender, request: RelayedRequest) {
  const { code, facts, reason } = why!
  request.received.guardrailHits = hitsText([tally])
  request.received.reason = reason
  return refusal(request, sender, code, facts)
}

/** What a client answers comes with the retry of a call that waits. All else is the call, which was sent before. */
function repliesUnder(guard: MessageGuard, params: Members): Members | null | Promise<Members | null> {
  const { inputResponses } = params
  const passed = inputResponses === undefined ? params : guard.request({ inputResponses })
  const whole = (replies: Members | null): Members | null => replies && { ...params, ...replies }
  return passed instanceof Promise ? passed.then(whole) : whole(passed)
}
