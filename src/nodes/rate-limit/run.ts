import { toMs } from '../../base/clock.ts'
import { keyOf, NodeFailure, type NodeRate, type NodeResult, type NodeRun, type RateTaken } from '../run.ts'

export const rateLimitRun: NodeRun = {
  name: 'rate_limit_node',
  inTrial: 'runs',
  link({ max, window }) {
    // The definition has parsed the settings
    const rate: NodeRate = { max: Number(max), windowMs: toMs(String(window)) }
    return ({ key, cost = 1 }, { takeRate }) => {
      const taken = takeRate(rate, keyOf(key), costOf(cost, rate.max))
      return taken instanceof Promise ? taken.then(toResult) : toResult(taken)
    }
  },
}

function toResult({ isAdmitted, remaining, resetMs }: RateTaken): NodeResult {
  return { handle: String(isAdmitted), outputs: { remaining, reset_ms: resetMs } }
}

function costOf(cost: unknown, max: number): number {
  if (typeof cost !== 'number' || !Number.isInteger(cost) || cost < 1 || cost > max)
    throw new NodeFailure('cost', `cost is no whole number from 1 to ${max}`)
  return cost
}
