import { isPlain, type Plain } from '../../base/json/plain.ts'
import { parseStrictJson } from '../../base/json/scan.ts'
import { refuse } from '../../base/refusal.ts'
import { notJson, parseObject } from '../rest/body.ts'
import { inputInvalid } from './arguments.ts'

/** A call in a body of its own, without JSON-RPC around it: what a line of a script sends. */
export interface PlainCall {
  readonly tool: string
  readonly arguments: Plain
}

/** Containers inside each other. */
const DEPTH_MAX = 100

/** JSON, nothing, or what curl says when nobody tells it otherwise. */
const CONTENT_TYPE = /^(application\/(json|x-www-form-urlencoded)[\t ]*(;.*)?)?$/i

/** What a JSON object begins with; a form of a browser does not. */
const OBJECT = /^\s*\{/

/**
 * The plain call in a body: a JSON object with `tool` and without `jsonrpc`. Null for anything else, which then is a
 * message, or none. Refuses with payload_rejected what two readers could read differently, and with input_invalid what is
 * said twice. Broken JSON that cannot be a message is refused with the place of the fault.
 */
export function readPlainCall(contentType: string | undefined, bytes: Uint8Array): PlainCall | null {
  if (!CONTENT_TYPE.test(contentType ?? '')) return null
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  // Spares messages a second reading. A name that is spelt with escapes makes no plain call.
  if (body.includes('"jsonrpc"') && !body.includes('"tool"')) return null
  const kind = kindOf(body)
  if (kind === 'other') return null
  if (kind === 'broken') {
    // The reader of messages answers in the form of JSON-RPC
    const mayBeMessage =
      /^application\/json/i.test(contentType ?? '') && (body.includes('jsonrpc') || !body.includes('tool'))
    if (mayBeMessage || !OBJECT.test(body.toString('latin1', 0, 64))) return null
    throw notJson(body.toString('utf8'))
  }
  if (parseStrictJson(body.toString('utf8'), DEPTH_MAX) === undefined)
    throw refuse('payload_rejected', {
      detail: `A member is named twice, or the body is nested deeper than ${DEPTH_MAX}.`,
    })
  const { tool, arguments: named = {}, ...beside } = parseObject(body)
  if (typeof tool !== 'string')
    throw inputInvalid([{ pointer: '/tool', reason: 'must be the name of a tool' }])
  if (!isPlain(named)) throw inputInvalid([{ pointer: '/arguments', reason: 'must be an object' }])
  if (Object.keys(named).length === 0) return { tool, arguments: beside }
  const isAlone = Object.keys(beside).length === 0
  return { tool, arguments: isAlone ? named : { ...beside, arguments: named } }
}

/** What a body is that names a tool somewhere: a call without JSON-RPC, text that is not JSON, or anything else. */
function kindOf(body: Buffer): 'call' | 'broken' | 'other' {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (error) {
    return error instanceof SyntaxError ? 'broken' : 'other'
  }
  return isPlain(value) && Object.hasOwn(value, 'tool') && !Object.hasOwn(value, 'jsonrpc') ? 'call' : 'other'
}
