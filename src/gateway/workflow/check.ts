import { CAPTURE_BYTES_MAX } from '../../model/workflow/capture.ts'
import { takeForCaptures } from '../captures/take-capture.ts'
import { bodyOf } from '../contract/request.ts'
import type { Located, Routed } from '../exchange.ts'
import { type Explain, open, pass, proxyName } from '../explain/judged.ts'
import { ADMITTED, ANSWERED, type Verdict } from '../verdict.ts'
import { linkedPlanOf } from './linked.ts'
import type { LinkedPlan } from './linked-plan.ts'

/**
 * For proxies with a workflow: the whole body is at hand if the workflow needs it, and what calls the upstream takes the checks that
 * follow. Captures take requests here: all checks that may refuse them for what they are have admitted them.
 */
export function workflowReady(exchange: Routed): Verdict | Promise<Verdict> {
  if (exchange.lane.captures.armed !== null) takeForCaptures(exchange)
  if (exchange.proxy.direct === null) return null
  const plan = linkedPlanOf(exchange)
  const isNeeded = plan !== null && (plan.needsBody || isCapturedAlone(exchange, plan))
  if (exchange.bodyBytes === 0 || !isNeeded) return ADMITTED
  const body = bodyOf(exchange)
  if (!(body instanceof Promise)) return ADMITTED
  return body.then((read) => (read === null ? (exchange.code ?? ANSWERED) : ADMITTED))
}

/** A capture alone looks at the body, and keeps it whole: it is read first, since no run forwards it, and none waits for it. */
function isCapturedAlone({ captured, bodyBytes }: Routed, { nodes }: LinkedPlan): boolean {
  const isKept = captured !== null && bodyBytes > 0 && bodyBytes <= CAPTURE_BYTES_MAX
  return isKept && !nodes.some(({ isTail }) => isTail)
}

export const explainWorkflow: Explain<Located> = (exchange) => {
  const { collection, proxy } = exchange
  if (proxy === null) return open('depends on the route')
  if (proxy.direct === null) return pass('the proxy has no workflow')
  return open(
    'the workflow responds; its calls depend on the request',
    `${proxyName(collection, proxy)} workflow`,
  )
}
