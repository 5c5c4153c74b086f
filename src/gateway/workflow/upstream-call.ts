/** A call of the upstream by a node of a workflow, with the caller of the run. */
import type { UpstreamRequest } from '../../nodes/run.ts'
import { withoutFields } from '../../wire/port.ts'
import { budgetOf } from '../caller-memory.ts'
import { type End, Exchange, type Routed, startedOutcome } from '../exchange.ts'
import { firstFieldValue } from '../header-lines.ts'
import type { Life } from '../rows.ts'
import { bodyBytes } from './body.ts'
import { type FieldList, readFields, toLines } from './fields.ts'
import { CODING, isSendable, toPath, toQuery } from './request-parts.ts'
import { type Done, startCall } from './step-call.ts'

/** Bytes of an answer: a longer one fails the call. */
const ANSWER_BYTES_MAX = 32 * 1024 * 1024
const CONTENT_TYPE = 'content-type'
const JSON_TYPE = 'application/json'
const NOTHING = new Uint8Array(0)

/**
 * Makes the call. `done` is told later, never at once.
 * @returns what gives the call up
 * @throws NodeFailure for what is no request
 */
export function callUpstream(outer: Routed, life: Life, asked: UpstreamRequest, done: Done): () => void {
  return startCall(outer, life, (end) => toExchange(outer, asked, end), ANSWER_BYTES_MAX, done)
}

function toExchange(outer: Routed, { method = outer.method, ...asked }: UpstreamRequest, end: End): Exchange {
  const { lane, snapshot, requestId, identity, collection, proxy } = outer
  const fields = readFields(asked.headers, isSendable)
  const body = toBody(outer, asked.body, fields)
  const exchange = new Exchange(
    lane,
    end,
    startedOutcome(lane.clock.monotonic(), body.bytes.length),
    requestId,
    outer.now,
    snapshot,
    outer.surface,
    method,
    asked.path === undefined ? outer.path : below(outer, toPath(asked.path)),
    outer.host,
    outer.ip,
    body.bytes.length,
  )
  exchange.identity = identity
  exchange.collection = collection
  exchange.proxy = asked.path === undefined ? proxy.direct : { ...proxy.direct!, target: null }
  exchange.secure = outer.secure
  exchange.traceParent = outer.traceParent
  exchange.traceState = outer.traceState
  exchange.query = asked.query === undefined ? outer.query : toQuery(asked.query)
  const replaced = new Set([CODING, ...fields.keys(), ...(body.type === null ? [] : [CONTENT_TYPE])])
  const type = body.type === null ? '' : `Content-Type: ${body.type}\r\n`
  exchange.pass = withoutFields(outer.pass, replaced) + type + toLines(fields)
  exchange.withheld = outer.withheld
  exchange.body = body.bytes
  // Answers are kept until the run has ended
  budgetOf(outer)
  exchange.reservation = outer.reservation
  return exchange
}

/** @returns type null where that of the caller, or that of the fields, stands */
function toBody(
  outer: Routed,
  value: unknown,
  fields: FieldList,
): { readonly bytes: Uint8Array; readonly type: string | null } {
  if (value === undefined) return { bytes: outer.body ?? NOTHING, type: null }
  const named = fields.get(CONTENT_TYPE)?.[0]
  const received = firstFieldValue(outer.pass, CONTENT_TYPE)
  const isData = typeof value !== 'string' && !(value instanceof Uint8Array)
  const type = named ?? (isData ? JSON_TYPE : (received ?? 'text/plain; charset=utf-8'))
  const bytes = bodyBytes(value, type)
  return { bytes, type: named !== undefined || bytes.length === 0 ? null : type }
}

/** Below the base path of the collection, whose place the path of the upstream takes. */
function below({ collection }: Routed, path: string): string {
  return collection.fragment.base_path + (path === '/' ? '' : path)
}
