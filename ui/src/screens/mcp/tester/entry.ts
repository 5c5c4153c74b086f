import type { Json, JsonObject } from '../../../../build/document.ts'
import type { Fault } from '../../../api/problem.ts'
import type { State } from '../../../kit/status.tsx'
import { isObject } from '../../../schema/value.ts'
import { type Era, type Outcome, outcomeOf } from './message.ts'

/** A message that was sent, with what came of it. */
export interface Entry {
  readonly id: number
  /** Milliseconds since 1970. */
  readonly at: number
  readonly era: Era
  readonly message: Json
  /** Headers that repeat what the message says. */
  readonly headers: Readonly<Record<string, string>>
  /** Null while it is under way. */
  readonly ms: number | null
  readonly status: number
  readonly requestId: string | null
  readonly messages: readonly Json[]
  /** The endpoint refused the message, or no answer came. */
  readonly fault: Fault | null
}

/** Entries that a page keeps. */
export const ENTRIES_MAX = 50

const WORDS: Readonly<Record<Outcome, { readonly state: State; readonly word: string }>> = {
  ok: { state: 'ok', word: 'OK' },
  tool_error: { state: 'bad', word: 'Tool error' },
  input_required: { state: 'pending', word: 'Asks for input' },
  error: { state: 'bad', word: 'Error' },
  refused: { state: 'bad', word: 'Refused' },
  sent: { state: 'ok', word: 'Accepted' },
}

/** The state of an entry, with a word for it. */
export function wordOf({ ms, fault, status, messages }: Entry): {
  readonly state: State
  readonly word: string
} {
  if (fault !== null) return { state: 'bad', word: fault.code ?? fault.title }
  if (ms === null) return { state: 'pending', word: 'Under way' }
  return WORDS[outcomeOf(status, messages)]
}

/** What a message is, for a list: `tools/call read_ticket`. */
export function labelOfMessage(message: Json): string {
  if (!isObject(message)) return 'no message'
  const { method, params, id } = message
  if (typeof method !== 'string') return `response to ${String(id)}`
  const name = isObject(params) ? (params['name'] ?? params['uri']) : undefined
  return typeof name === 'string' ? `${method} ${name}` : method
}

/** Blocks of the content of a result, as texts: nothing in them is read as markup, and nothing is loaded. */
export function contentOf(
  messages: readonly Json[],
): readonly { readonly kind: string; readonly text: string }[] {
  const last = messages.findLast((one): one is JsonObject => isObject(one) && isObject(one['result']))
  const content = isObject(last?.['result']) ? last['result']['content'] : undefined
  if (!Array.isArray(content)) return []
  return content.flatMap((block) => {
    if (!isObject(block)) return []
    const kind = typeof block['type'] === 'string' ? block['type'] : 'unknown'
    if (kind === 'text' && typeof block['text'] === 'string') return [{ kind, text: block['text'] }]
    const data = block['data']
    if (typeof data !== 'string') return [{ kind, text: JSON.stringify(block, null, 2) }]
    const bytes = Math.floor((data.length * 3) / 4)
    return [
      { kind, text: `${String(block['mimeType'] ?? 'bytes')}, about ${bytes.toLocaleString('en')} bytes` },
    ]
  })
}
