import type { FieldError } from '../../base/refusal.ts'
import { sharingAt } from '../../snapshot/find/shared-paths.ts'
import type { Judge } from '../../snapshot/schema/judge.ts'
import { isJsonType, mediaTypeOf } from '../contract/body-rule.ts'
import { compiledFor } from '../contract/contracts.ts'
import { readJsonBody } from '../contract/json-body.ts'
import { unusableContract } from '../contract/unusable.ts'
import type { Routed } from '../exchange.ts'
import { fieldValue } from '../header-lines.ts'
import { type AnswerRow, COPY_BYTES_MAX } from './watch.ts'

/** Holds answers to the contract of their proxy: `report` notes a fault in the record, `enforce` refuses the answer. */
export const contractOfAnswer: AnswerRow = {
  name: 'contract of the answer',
  wants: ({ proxy }) => (proxy.fragment.features!.response_validation === 'report' ? COPY_BYTES_MAX : -1),
  judge(exchange, status, fields, body) {
    if (exchange.proxy.fragment.features!.response_validation !== 'enforce') return null
    return body === null ? 'the answer is too long to be judged' : answerFault(exchange, status, fields, body)
  },
  end(exchange, status, fields, body) {
    if (body === null) return
    const fault = answerFault(exchange, status, fields, body)
    if (fault !== null && exchange.reason === '') exchange.reason = `response_invalid: ${fault}`
  },
}

/** How a successful answer breaks its contract, as one sentence; null when it keeps it or has none. */
function answerFault(exchange: Routed, status: number, fields: string, body: Uint8Array): string | null {
  if (status < 200 || status > 299 || status === 204 || status === 206 || exchange.method === 'HEAD')
    return null
  try {
    const judges = responseJudges(exchange)
    if (judges.length === 0) return null
    const type = mediaTypeOf(fieldValue(fields, 'content-type') ?? '')
    if (type === null || !isJsonType(type.essence))
      return `the answer is no JSON but ${type?.essence ?? 'untyped'}`
    if ((fieldValue(fields, 'content-encoding') ?? 'identity') !== 'identity')
      return 'the answer is compressed although nobody asked for it'
    const read = readJsonBody(body)
    if (!read.ok) return `the body ${read.reason}`
    let first: FieldError | null = null
    for (const judge of judges) {
      const errors = judge(read.value, read.inexact)
      if (errors === null) return null
      first ??= errors[0]!
    }
    return `${first!.pointer} ${first!.reason}`.slice(0, 500)
  } catch (error) {
    return unusableContract(error)
  }
}

/** Of the endpoint and of those that its path may be meant for too; empty where any answer is good for one of them. */
function responseJudges({ snapshot, collection, proxy, path, method }: Routed): readonly Judge[] {
  const below = path.slice(collection.fragment.base_path.length)
  const sharing = proxy.sharing.length === 0 ? [] : sharingAt(proxy, below, method)
  const judges: Judge[] = []
  for (const one of [proxy, ...sharing]) {
    const judge = compiledFor(snapshot, collection, one, method)?.response() ?? null
    if (judge === null) return []
    judges.push(judge)
  }
  return judges
}
