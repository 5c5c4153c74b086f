import { isPlain, type Plain } from '../../base/plain.ts'
import { pointerTo } from '../../base/pointer.ts'
import { refuse } from '../../base/refusal.ts'
import { parseStrictJson } from '../../base/strict-json.ts'
import type { Operation } from '../../operations/define.ts'
import { parseObject } from '../rest/body.ts'
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

/**
 * The plain call in a body: a JSON object with `tool` and without `jsonrpc`. Null for anything else, which then is a
 * message, or none. Refuses with payload_rejected what two readers could read differently, and with input_invalid what is
 * said twice.
 */
export function readPlainCall(contentType: string | undefined, bytes: Uint8Array): PlainCall | null {
  if (!CONTENT_TYPE.test(contentType ?? '')) return null
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  // Spares messages a second reading. A name that is spelt with escapes makes no plain call.
  if (!body.includes('"tool"') || !holdsCall(body)) return null
  if (parseStrictJson(body.toString('utf8'), DEPTH_MAX) === undefined)
    throw refuse('payload_rejected', {
      detail: `A member is named twice, or the body is nested deeper than ${DEPTH_MAX}.`,
    })
  const { tool, arguments: named = {}, ...beside } = parseObject(body)
  if (typeof tool !== 'string')
    throw inputInvalid([{ pointer: '/tool', reason: 'must be the name of a tool' }])
  if (!isPlain(named)) throw inputInvalid([{ pointer: '/arguments', reason: 'must be an object' }])
  return { tool, arguments: joined(beside, named, '/arguments') }
}

function holdsCall(body: Buffer): boolean {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
    return isPlain(value) && Object.hasOwn(value, 'tool') && !Object.hasOwn(value, 'jsonrpc')
  } catch {
    // No JSON: whoever reads messages says so
    return false
  }
}

/** The arguments of an update, which may stand together in `changes`. */
export function withChanges(operation: Operation, given: Plain): Plain {
  const { changes, ...beside } = given
  if (operation.action !== 'update' || !isPlain(changes) || Object.hasOwn(operation.input.shape, 'changes'))
    return given
  return joined(beside, changes, '/changes')
}

/** Two sets of members as one; none may stand in both. */
function joined(beside: Plain, inside: Plain, pointer: string): Plain {
  const twice = Object.keys(inside).filter((name) => Object.hasOwn(beside, name))
  if (twice.length > 0)
    throw inputInvalid(
      twice.slice(0, 20).map((name) => ({
        pointer: pointerTo(pointer, name.slice(0, 64)),
        reason: 'stands beside it too',
      })),
    )
  return { ...beside, ...inside }
}
