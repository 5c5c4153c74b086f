/**
 * Probes an entry of the runner. It first asks the runner for its entries, so that the error for an unknown name lists the
 * known ones.
 */
import { printable } from '../../base/text/visible.ts'
import type { OriginProbed, ProbeStep } from '../../model/mcp/origin.ts'
import { readJson } from '../protocol/json.ts'
import { isMembers, type Members } from '../protocol/message.ts'
import { type ProbeTools, probeOrigin } from './probe.ts'
import type { OriginAnswer } from './send.ts'

/** Names that an error tells. */
const TOLD_MAX = 20

export interface EntryProbeTools extends ProbeTools {
  readonly entry: string
  /** Where the settings say that the runner is, for people; null where they name none. */
  readonly runner: string | null
  /** Asks the runner for its entries. Never rejects. */
  readonly entries: () => Promise<OriginAnswer>
}

/** Never rejects. */
export async function probeEntry(tools: EntryProbeTools): Promise<OriginProbed> {
  const { clock, entry } = tools
  const startedAt = clock.monotonic()
  const answer = tools.runner === null ? null : await tools.entries()
  const entries = answer === null ? null : entriesIn(answer)
  const error = faultOf(tools, answer, entries)
  const step: ProbeStep = {
    step: 'entries',
    ok: error === null,
    latency_ms: Math.round((clock.monotonic() - startedAt) * 10) / 10,
    status: answer?.ok === true ? answer.status : null,
    error,
  }
  if (error !== null) return { steps: [step], found: null }
  const { steps, found } = await probeOrigin(tools)
  const isPerUser = entries!.some(({ name, instance }) => name === entry && instance === 'per_user')
  return {
    steps: [step, ...steps],
    found: found && isPerUser ? { ...found, verdict: { ...found.verdict, per_user: true } } : found,
  }
}

function faultOf(
  { runner, entry }: EntryProbeTools,
  answer: OriginAnswer | null,
  entries: readonly Members[] | null,
): string | null {
  if (answer === null) return 'POSTERN_RUNNER is not set'
  if (!answer.ok)
    return `the runner at ${runner} does not answer (${answer.reason}); start it with postern runner`
  if (answer.status === 401) return 'the runner does not know the token of POSTERN_RUNNER_TOKEN_FILE'
  if (entries === null) return `what answers at ${runner} is no runner`
  const names = entries.map(({ name }) => String(name))
  if (names.includes(entry)) return null
  const told = names.slice(0, TOLD_MAX).map((name) => printable(name).slice(0, 63))
  const offer = told.length === 0 ? 'no other' : told.join(', ') + (names.length > TOLD_MAX ? ', ...' : '')
  return `the runner offers no entry "${entry}", but ${offer}`
}

/** What `GET /entries` of a runner lists; null for the answer of something else. */
function entriesIn(answer: OriginAnswer): readonly Members[] | null {
  if (!answer.ok || answer.status !== 200 || answer.truncated) return null
  const read = readJson(answer.body)
  const entries = read.ok && isMembers(read.value) ? read.value['entries'] : null
  return Array.isArray(entries) ? (entries as readonly unknown[]).filter(isMembers) : null
}
