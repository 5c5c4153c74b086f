import { z } from 'zod'

const TARGET_STATES = ['healthy', 'ejected', 'down'] as const

/** How one server is, as the gateway threads see it. */
const TargetHealth = z.object({
  server: z.string().describe('Scheme, host, port and path'),
  weight: z.int(),
  state: z.enum(TARGET_STATES).describe('ejected: too many failures in a row; down: its health checks fail'),
  until: z
    .string()
    .nullable()
    .describe('Time at which it gets requests again; null if it does already or if the time is unknown'),
  threads: z.int().describe('Number of gateway threads that do not use it'),
  pending: z.int().describe('Requests under way'),
  failures: z.int().describe('Failures in a row, on the thread with the most'),
})
export type TargetHealth = z.output<typeof TargetHealth>

const BREAKER_STATES = ['off', 'closed', 'trying', 'open'] as const

export const UpstreamHealth = z.object({
  breaker: z
    .enum(BREAKER_STATES)
    .describe(
      'closed: requests pass; open: no request passes; trying: one trial request passes. The worst state of all threads',
    ),
  targets: z.array(TargetHealth),
})
export type UpstreamHealth = z.output<typeof UpstreamHealth>

/** What several threads see, as one: the worst of each server. Null when none sees anything. */
export function mergeHealth(seen: readonly UpstreamHealth[]): UpstreamHealth | null {
  const [first, ...rest] = seen
  if (first === undefined) return null
  return rest.reduce(
    (all, { breaker, targets }) => ({
      breaker: worse(BREAKER_STATES, all.breaker, breaker),
      targets: all.targets.map((target) => {
        const other = targets.find(({ server }) => server === target.server)
        return other === undefined ? target : mergeTarget(target, other)
      }),
    }),
    first,
  )
}

function mergeTarget(one: TargetHealth, other: TargetHealth): TargetHealth {
  const state = worse(TARGET_STATES, one.state, other.state)
  const until = [one.until, other.until].filter((time) => time !== null).sort()
  return {
    ...one,
    state,
    until: state === 'ejected' ? (until.at(-1) ?? null) : null,
    threads: one.threads + other.threads,
    pending: one.pending + other.pending,
    failures: Math.max(one.failures, other.failures),
  }
}

/** The one that stands later in a list from good to bad. */
function worse<T>(order: readonly T[], one: T, other: T): T {
  return order.indexOf(one) >= order.indexOf(other) ? one : other
}
