import { withDigits } from '../../base/json/exact.ts'
import type { FieldError } from '../../base/refusal.ts'
import { HTTP_METHODS } from '../../model/http-names.ts'
import { type DeclaredNames, flatNames, namesIn } from '../../snapshot/find/declared-names.ts'
import type { Contract } from '../../snapshot/fragments.ts'
import { answerOutcome } from '../endpoints/answer-outcome.ts'
import { toldByContract } from '../endpoints/contract-told.ts'
import { buildTarget } from '../endpoints/target.ts'
import type { Sender } from '../http/message.ts'
import { parameterInvalid, refused } from '../http/outcome.ts'
import { isMembers, type Members } from '../protocol/message.ts'
import type { RelayedRequest } from '../protocol/relay-port.ts'
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
  const misspelt = misspeltIn(gateway.contract(endpoint, method), values.get('params'))
  if (misspelt !== null) {
    done(parameterInvalid(requestId, [misspelt], example()))
    return
  }
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

const queryNames = new WeakMap<Contract['parameters'], DeclaredNames>()

/** The first member of query or body that is another spelling of a name of the contract; null without one. */
function misspeltIn(found: ReturnType<CallTools['gateway']['contract']>, params: unknown): FieldError | null {
  if (found === null || !isMembers(params)) return null
  const { parameters, request_schema: schema } = found.contract
  let names = queryNames.get(parameters)
  if (names === undefined) {
    names = flatNames(parameters.flatMap(({ in: place, name }) => (place === 'query' ? [name] : [])))
    queryNames.set(parameters, names)
  }
  const query = names.fault(params['query'])
  if (query !== null) return { pointer: `/params/query${query.pointer}`, reason: query.reason }
  const body = namesIn(schema, found.schemas).fault(params['body'])
  return body && { pointer: `/params/body${body.pointer}`, reason: body.reason }
}
