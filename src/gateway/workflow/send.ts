import type { Plain } from '../../base/json/plain.ts'
import { NodeFailure } from '../../nodes/run.ts'
import type { TargetTemplate } from '../../snapshot/linked/collection.ts'
import { answerFields } from '../answer/fields.ts'
import { watchOf } from '../answer/watch.ts'
import { mayKeep } from '../caller-memory.ts'
import type { GatheredAnswer, Routed } from '../exchange.ts'
import type { Life } from '../rows.ts'
import { type RunAnswer, runAnswer } from './answer.ts'
import { linkedPlanOf } from './linked.ts'
import { toPath } from './request-parts.ts'
import { type RunEnd, WorkflowRun } from './run.ts'
import { surroundingsOf } from './surroundings.ts'

/** Has the workflow of the proxy answer an admitted request. The rows that look at answers look at this one too. */
export function runWorkflow(exchange: Routed, life: Life): void {
  const linked = exchange.triedWorkflow?.plan ?? linkedPlanOf(exchange)
  const { captured } = exchange
  const plan = linked === null || captured === null ? linked : captured.plan(linked)
  if (plan === null) {
    life.failed(exchange, 'workflow_failed', 'the workflow of the proxy cannot be run')
    return
  }
  const run = new WorkflowRun(plan, {
    ...surroundingsOf(exchange, life),
    fault: exchange.lane.fault,
    ended(end) {
      exchange.gathering = null
      captured?.ended()
      if (!end.ok) fail(exchange, life, end)
      else if ('forward' in end) forward(exchange, life, end.forward.path)
      else give(exchange, life, end.answer)
    },
  })
  exchange.gathering = run
  run.begin()
}

function fail(
  exchange: Routed,
  life: Life,
  { code, reason, told }: Extract<RunEnd, { readonly ok: false }>,
): void {
  if (told?.facts !== undefined) exchange.facts = told.facts
  if (told?.retryAfterMs !== undefined) exchange.retryAfterMs = told.retryAfterMs
  life.failed(exchange, code, reason)
}

/** Goes on as a request without a workflow: bodies stream. */
function forward(exchange: Routed, life: Life, path: unknown): void {
  const { proxy } = exchange
  const direct = {
    ...proxy.direct!,
    fragment: { ...proxy.direct!.fragment, features: proxy.fragment.features },
  }
  try {
    const target = path === undefined ? direct.target : fixedTarget(toPath(path))
    exchange.proxy = { ...direct, target }
  } catch (error) {
    // toPath throws nothing else
    life.failed(exchange, 'workflow_failed', `path: ${(error as NodeFailure).message}`)
    return
  }
  life.step(exchange)
}

/** What is always the same path. */
function fixedTarget(path: string): TargetTemplate {
  return { pieces: [path], refs: [], values: () => [], isPartial: false }
}

function give(exchange: Routed, life: Life, outputs: Plain): void {
  const { upstreamAt, upstreamHeadAt } = exchange.outcome
  const responseFields = answerFields(exchange)
  let made: RunAnswer
  try {
    made = runAnswer(outputs, exchange.requestId)
  } catch (error) {
    if (!(error instanceof NodeFailure)) exchange.lane.fault(error)
    const reason = error instanceof NodeFailure ? error.message : 'fault'
    life.failed(exchange, 'workflow_failed', `the response: ${reason}`)
    return
  }
  const { status, fields, body } = made
  const answer: GatheredAnswer = {
    ok: true,
    status,
    fields: fields + responseFields,
    body,
    bodyBytes: body.length,
    truncated: body.length > exchange.end.keepBytesMax,
    isUnheld: !mayKeep(exchange, body),
    upstreamAt,
    upstreamHeadAt,
  }
  life.answered(exchange, { tap: watchOf(life.watching, exchange), responseFields }, answer)
}
