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
  wants: ({ proxy }) => (proxy.fragment.shape!.response_validation === 'report' ? COPY_BYTES_MAX : -1),
  judge(exchange, status, fields, body) {
    if (exchange.proxy.fragment.shape!.response_validation !== 'enforce') return null
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
    const judge = compiledFor(
      exchange.snapshot,
      exchange.collection,
      exchange.proxy,
      exchange.method,
    )?.response()
    if (judge == null) return null
    const type = mediaTypeOf(fieldValue(fields, 'content-type') ?? '')
    if (type === null || !isJsonType(type.essence))
      return `the answer is no JSON but ${type?.essence ?? 'untyped'}`
    if ((fieldValue(fields, 'content-encoding') ?? 'identity') !== 'identity')
      return 'the answer is compressed although nobody asked for it'
    const read = readJsonBody(body)
    if (!read.ok) return `the body ${read.reason}`
    const errors = judge(read.value, read.inexact)
    return errors === null ? null : `${errors[0]!.pointer} ${errors[0]!.reason}`.slice(0, 500)
  } catch (error) {
    return unusableContract(error)
  }
}
