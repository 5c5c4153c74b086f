/** Reads the trace of a workflow run from a record. */
import type { WorkflowTrace } from '../model/workflow/trace.ts'

/** [node, type, start, duration (microseconds), handle, attempts, error, within]; the last two may be missing. */
type StepEntry = [string, string, number, number, string, number, string?, string?]
/** [node, time (microseconds), level, message, fields, within] */
type LogEntry = [
  string,
  number,
  WorkflowTrace['logs'][number]['level'],
  string,
  Record<string, unknown> | null,
  string | null,
]
/** [node, null, model, calls, prompt tokens, completion tokens, within] */
type TokenEntry = [string, null, string, number, number, number, string | null]

/**
 * Reads the trace of a run, which `gateway/workflow/trace.ts` has written: entries in the order in which their nodes have ended, then
 * the number of those that were left off.
 */
export function readWorkflowTrace(text: string): WorkflowTrace | null {
  if (text === '') return null
  const entries = JSON.parse(`[${text}]`) as (StepEntry | LogEntry | TokenEntry | number)[]
  const trace: WorkflowTrace = { nodes: [], logs: [], tokens: [], left_off: 0 }
  for (const entry of entries)
    if (typeof entry === 'number') trace.left_off = entry
    else if (isLog(entry)) {
      const [node, at, level, message, fields, within] = entry
      trace.logs.push({ node, within, time_ms: at / 1000, level, message, fields })
    } else if (isTokens(entry)) {
      const [node, , model, calls, prompt_tokens, completion_tokens, within] = entry
      trace.tokens.push({ node, within, model, calls, prompt_tokens, completion_tokens })
    } else {
      const [node, type, start, duration, handle, attempts, error, within] = entry
      trace.nodes.push({
        node,
        within: within ?? null,
        type,
        start_ms: start / 1000,
        duration_ms: duration / 1000,
        handle: handle || null,
        attempts,
        error: error || null,
      })
    }
  trace.nodes.sort((one, other) => one.start_ms - other.start_ms)
  return trace
}

type Entry = StepEntry | LogEntry | TokenEntry

function isLog(entry: Entry): entry is LogEntry {
  return typeof entry[1] === 'number'
}

function isTokens(entry: Entry): entry is TokenEntry {
  return entry[1] === null
}
