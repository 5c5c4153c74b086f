/** The way of a call through the gateway, from what its record has. Records time the gateway as a whole, the upstream, and nodes. */
import type { Output } from '../../api/client.ts'
import type { CallRecord } from './sentence.ts'

type WholeRecord = Output<'records.get'>

export interface Phase {
  readonly label: string
  readonly result: string
  readonly state: 'ok' | 'bad' | 'warn' | 'off'
}

export interface Bar {
  readonly label: string
  readonly detail: string
  /** Milliseconds since the start of the call. */
  readonly start: number
  readonly duration: number
  readonly tone: 'gateway' | 'upstream' | 'node' | 'failed'
}

/** Checks by the phase that they belong to, in the order in which a request of REST takes them. */
const PHASES: readonly (readonly [label: string, checks: readonly string[]])[] = [
  ['Route', ['wire', 'canonical', 'route']],
  ['Authentication', ['identify', 'active', 'address', 'failures', 'authenticate', 'proof']],
  [
    'Access',
    ['held-back route', 'same proxy', 'assignment', 'path readings', 'method', 'upgrade', 'declared body'],
  ],
  ['Limits', ['limits']],
  ['Contract', ['contract', 'operation']],
  ['Guardrails', ['guardrails']],
  ['Cache', ['kept answer']],
  ['Workflow', ['workflow']],
  ['Upstream', ['credential', 'gather', 'target', 'forward']],
  ['Answer', ['answer']],
]

/**
 * What each phase came to. A phase before the check that ended the call has passed; one behind it was not reached. Calls over MCP take
 * other checks, so only the one that ended them is named.
 */
export function phasesOf(record: CallRecord): readonly Phase[] {
  const stopped = PHASES.findIndex(([, checks]) => record.check !== null && checks.includes(record.check))
  if (record.surface !== 'gateway' || (record.check !== null && stopped === -1))
    return record.check === null
      ? []
      : [{ label: PHASES[stopped]?.[0] ?? 'Check', result: endOf(record), state: 'bad' }]
  return PHASES.flatMap(([label], index): Phase[] => {
    if (index === stopped) return [{ label, result: endOf(record), state: 'bad' }]
    if (stopped !== -1 && index > stopped) return [{ label, result: 'not reached', state: 'off' }]
    return passed(label, record)
  })
}

function endOf({ check, code }: CallRecord): string {
  return `ended the call at the check ${check}${code === null ? '' : `: ${code}`}`
}

function passed(label: string, record: CallRecord): Phase[] {
  const { cache, contract_code, guardrail_hits, nearest_limit, upstream_ms, upstream_status } = record
  switch (label) {
    case 'Limits':
      return [
        {
          label,
          result: nearest_limit === null ? 'passed' : `passed; nearest: ${nearest_limit}`,
          state: 'ok',
        },
      ]
    case 'Contract':
      return contract_code === null
        ? [{ label, result: 'passed', state: 'ok' }]
        : [{ label, result: `reported: ${contract_code}`, state: 'warn' }]
    case 'Guardrails': {
      const hits = (guardrail_hits ?? []).reduce((sum, { count }) => sum + count, 0)
      return [
        hits === 0
          ? { label, result: 'passed', state: 'ok' }
          : { label, result: `passed; ${hits} found`, state: 'warn' },
      ]
    }
    case 'Cache':
      return cache === null ? [] : [{ label, result: cache, state: 'ok' }]
    case 'Workflow':
      return []
    case 'Upstream':
      if (upstream_ms === null && upstream_status === null)
        return [{ label, result: 'not called', state: 'off' }]
      return [
        upstream_status !== null && upstream_status < 400
          ? { label, result: `answered ${upstream_status}`, state: 'ok' }
          : {
              label,
              result: upstream_status === null ? 'no answer' : `answered ${upstream_status}`,
              state: 'bad',
            },
      ]
    default:
      return [{ label, result: 'passed', state: 'ok' }]
  }
}

/** Bars of what was timed, in order. The gateway works before and after the upstream; its bar shows the sum, first. */
export function barsOf(record: WholeRecord): readonly Bar[] {
  const { gateway_ms, upstream_ms, upstream_target, workflow_trace } = record
  const nodes = workflow_trace?.nodes ?? []
  const bars: Bar[] = [
    { label: 'Gateway', detail: 'all checks', start: 0, duration: gateway_ms, tone: 'gateway' },
  ]
  if (upstream_ms !== null)
    bars.push({
      label: 'Upstream',
      detail: upstream_target ?? '',
      start: gateway_ms,
      duration: upstream_ms,
      tone: 'upstream',
    })
  for (const { node, within, type, start_ms, duration_ms, error, attempts } of nodes)
    bars.push({
      label: within === null ? node : `${within} ${node}`,
      detail: [type, attempts > 1 && `${attempts} attempts`, error].filter(Boolean).join(', '),
      start: start_ms,
      duration: duration_ms,
      tone: error === null ? 'node' : 'failed',
    })
  return bars
}

/** Left edge and width of a bar, as shares of the whole. A bar is never invisible. */
export function placeOf(bar: Bar, bars: readonly Bar[]): { left: number; width: number } {
  const end = Math.max(...bars.map(({ start, duration }) => start + duration), 0.001)
  const left = Math.min(bar.start / end, 0.99)
  return { left, width: Math.min(Math.max(bar.duration / end, 0.01), 1 - left) }
}
