import { isPlain, type Plain, scalarText } from '../../base/json/plain.ts'
import { isNeverPassed } from '../../model/http-names.ts'
import { NodeFailure } from '../../nodes/run.ts'
import { bodyBytes } from './body.ts'
import { readFields, toFieldObject, toLines } from './fields.ts'

/** What a run answers. */
export interface RunAnswer {
  readonly status: number
  /** Header lines. */
  readonly fields: string
  readonly body: Uint8Array
}

/** Names that the gateway itself sets. */
const OWN: ReadonlySet<string> = new Set([
  'date',
  'server',
  'x-request-id',
  'ratelimit',
  'ratelimit-policy',
  'x-cache',
])
const PROBLEM_TYPE = 'application/problem+json'
/** Statuses whose answers have no body (RFC 9110 section 6.4.1). */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304])

/** The answer that the outputs of a response node describe. @throws NodeFailure for what is no answer */
export function runAnswer(outputs: Plain, requestId: string): RunAnswer {
  const { status, fields, type, value } = partsOf(outputs, requestId)
  const bytes = bodyBytes(value, type)
  const isEmpty = bytes.length === 0 || BODILESS.has(status)
  if (!isEmpty) fields.set('content-type', [type])
  return { status, fields: toLines(fields), body: isEmpty ? new Uint8Array(0) : bytes }
}

/** The same as the outputs of a node that got it: `status`, `headers` and `body`. @throws NodeFailure for what is no answer */
export function answerValues(outputs: Plain, requestId: string): Plain {
  const { status, fields, type, value } = partsOf(outputs, requestId)
  const body = BODILESS.has(status) ? null : (value ?? null)
  if (body !== null) fields.set('content-type', [type])
  return { status, headers: toFieldObject(toLines(fields)), body }
}

function partsOf({ status, headers, content_type, body, problem }: Plain, requestId: string) {
  if (typeof status !== 'number' || !Number.isInteger(status) || status < 200 || status > 599)
    throw new NodeFailure('status', 'status is no whole number from 200 to 599')
  const fields = new Map(readFields(headers, (name) => !OWN.has(name) && !isNeverPassed(name)))
  const isProblem = problem !== undefined && problem !== null
  const type = isProblem ? PROBLEM_TYPE : (fields.get('content-type')?.[0] ?? String(content_type))
  fields.delete('content-type')
  return { status, fields, type, value: isProblem ? toProblem(problem, status, requestId) : body }
}

/** A problem (RFC 9457) of `code` and `detail`. */
function toProblem(problem: unknown, status: number, requestId: string): Plain {
  if (!isPlain(problem)) throw new NodeFailure('problem', 'problem is no object')
  const { code, title, detail, ...rest } = problem
  return {
    type: 'about:blank',
    title: scalarText(title) ?? scalarText(code) ?? 'Error',
    status,
    ...(detail === undefined ? {} : { detail }),
    ...(code === undefined ? {} : { code }),
    ...rest,
    request_id: requestId,
  }
}
