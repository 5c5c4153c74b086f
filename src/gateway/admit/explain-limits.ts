import type { Hypothetical } from '../../model/explanation.ts'
import { keyFor, type PlannedLimit } from '../../snapshot/find/limit-plan.ts'
import type { Exchange, Routed } from '../exchange.ts'
import { type Explain, NO_CALLER, open, pass, refuse } from '../explain/judged.ts'
import { keyValueOf } from './key-value.ts'
import { limitRefusal } from './limits.ts'

/** Tells what the counters hold now, of which nothing is taken. */
export const explainLimits: Explain = (exchange, asked) => {
  if (exchange.identity.profile === null) return NO_CALLER
  const { snapshot, lane, now, identity, collection, proxy } = exchange as Routed
  const plan = snapshot.plans.of(snapshot, identity.profile, collection, proxy, null)
  if (plan.missing !== null)
    return refuse('route_unavailable', `policy ${plan.missing} is not available`, null)
  if (plan.limits.length === 0) return pass('no policy has a limit here: unlimited')
  const sentences: string[] = []
  const settings = new Set<string>()
  let isOpen = false
  for (const planned of plan.limits) {
    const { limit } = planned
    const name = `${limit.fragment.name} (${limit.isObserved ? 'observes ' : ''}${limit.fragment.kind})`
    const place = `policies/${limit.policy.slug} of the ${planned.attachedTo}`
    settings.add(place)
    const counter = counterOf(planned, exchange, asked)
    if (counter === null) {
      isOpen = true
      sentences.push(`${name} depends on the ${limit.by} of the request`)
      continue
    }
    const max = limit.algorithm === 'bucket' ? limit.burst : limit.max
    const left = lane.counters.read(counter, now)?.remaining ?? max
    if (left < limit.cost && !limit.isObserved)
      return refuse(limitRefusal(limit), `${name} has ${left} of ${max} left`, place)
    sentences.push(`${name} has ${left} of ${max} left`)
  }
  return (isOpen ? open : pass)(sentences.join('; '), [...settings].join('; '))
}

/** The counter of a limit; null where what it is keyed by was not said. */
function counterOf(planned: PlannedLimit, exchange: Exchange, asked: Hypothetical): PlannedLimit | null {
  const { by } = planned.limit
  if (!planned.isKeyed) return planned
  if (by === 'claim' || (by === 'ip' && asked.ip === null) || (by === 'header' && asked.headers === null))
    return null
  const value = keyValueOf(exchange, planned.limit)
  return value === null ? planned : { ...planned, ...keyFor(planned, value) }
}
