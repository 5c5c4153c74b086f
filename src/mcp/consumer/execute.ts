import { withDigits } from '../../base/exact-json.ts'
import { HTTP_METHODS } from '../../model/methods.ts'
import { answerOutcome } from '../endpoints/answer-outcome.ts'
import { toldByContract } from '../endpoints/contract-told.ts'
import { buildTarget } from '../endpoints/target.ts'
import type { Sender } from '../http/caller.ts'
import { parameterInvalid, refused } from '../http/outcome.ts'
import type { Members } from '../protocol/message.ts'
import type { RelayedRequest } from '../protocol/relay.ts'
import type { ToolOutcome } from '../protocol/tool-call.ts'
import type { Catalogue } from './catalogue.ts'
import { callExample } from './inspect.ts'
import { resolve } from './resolve.ts'
import { type CallTools, runCall } from './run-call.ts'

const BYTES_DEFAULT = 64 * 1024

const METHODS: ReadonlySet<string> = new Set(HTTP_METHODS)
const NO_PARAMS: Members = Object.freeze({})
const NO_FIELDS: readonly string[] = []

const ARGUMENTS = {
  pointer: (place: string) => `/params${place}`,
  adviceOnWrong: 'inspect_contract shows the parameters and schemas of the endpoint.',
}

/**
 * Runs `execute_call`: finds the endpoint, builds the call, hands it to the stages, fits the answer into its bounds. `done` gets null
 * for a call that was given up.
 */
export function execute(
  tools: CallTools,
  catalogue: Catalogue,
  sender: Sender,
  values: ReadonlyMap<string, unknown>,
  request: RelayedRequest,
  done: (outcome: ToolOutcome | null) => void,
): void {
  const { gateway } = tools
  const { requestId } = sender
  // The kinds were checked by the rules of the tool.
  const named = values.get('method') as string | undefined
  const resolved = resolve(catalogue, values.get('endpoint') as string, named, requestId)
  if (!resolved.ok) {
    done(resolved.outcome)
    return
  }
  const { endpoint, method } = resolved
  const example = (): Members => callExample(gateway, catalogue, endpoint, method)
  if (method === null || !METHODS.has(method)) {
    const reason = `must be one of ${endpoint.methods.join(', ')}`
    done(parameterInvalid(requestId, [{ pointer: '/method', reason }], example()))
    return
  }
  const built = buildTarget(
    catalogue.patternOf(endpoint),
    resolved.values,
    resolved.query,
    withDigits((values.get('params') as Members | undefined) ?? NO_PARAMS),
    toldByContract(() => gateway.contract(endpoint, method)),
    values.get('idempotency_key') as string | undefined,
  )
  if (!built.ok) {
    done(parameterInvalid(requestId, built.errors, example()))
    return
  }
  const { dropped, ...made } = built.built
  const bytesMax = (values.get('max_bytes') as number | undefined) ?? BYTES_DEFAULT
  const wanted = (values.get('fields') as string[] | undefined) ?? NO_FIELDS
  const reason = (values.get('reason') as string | undefined) ?? ''
  runCall(
    tools,
    sender,
    request,
    { ...made, endpoint, method, name: request.received.tool, reason },
    (answer) => {
      const given = { ...ARGUMENTS, example }
      done(answer === null ? null : answerOutcome(answer, wanted, bytesMax, dropped, given))
    },
    () => done(refused('internal_error', requestId, {})),
  )
}
