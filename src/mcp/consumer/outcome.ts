import {
  type FieldError,
  type RefusalCode,
  type RefusalFacts,
  refuse,
  toProblem,
} from '../../base/refusal.ts'
import type { ToolOutcome } from '../protocol/door.ts'

type ToolResult = Extract<ToolOutcome, { kind: 'result' }>

/** A result whose structured content is `value`. */
export function given(value: Readonly<Record<string, unknown>>): ToolOutcome {
  return { kind: 'result', json: JSON.stringify(value), isError: false }
}

/** A refusal that the model can read and act on: the problem object as an error result. */
export function refused(code: RefusalCode, requestId: string, facts: RefusalFacts): ToolResult {
  const json = JSON.stringify(toProblem(refuse(code, facts), requestId))
  return { kind: 'result', json, isError: true, refusal: code }
}

/** The refusal of arguments that have the wrong form. @param errors at least one; the first is the detail. */
export function parameterInvalid(requestId: string, errors: readonly FieldError[]): ToolOutcome {
  const first = errors[0]!
  return refused('parameter_invalid', requestId, { detail: `${first.pointer}: ${first.reason}`, errors })
}
