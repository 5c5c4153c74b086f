import {
  type FieldError,
  type RefusalCode,
  type RefusalFacts,
  refuse,
  toProblem,
} from '../../base/refusal.ts'
import type { Members } from '../protocol/message.ts'
import type { ToolOutcome } from '../protocol/tool-call.ts'

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

/**
 * The refusal of arguments that have the wrong form.
 * @param errors at least one; the first is the detail. Pointers are into the arguments.
 * @param example a call that would be right
 */
export function parameterInvalid(
  requestId: string,
  errors: readonly FieldError[],
  example: Members,
): ToolOutcome {
  const first = errors[0]!
  const detail = `${first.pointer}: ${first.reason}`
  return refused('parameter_invalid', requestId, { detail, errors, members: { example } })
}
