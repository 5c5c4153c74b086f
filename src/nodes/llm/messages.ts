/** Messages to a model: roles and texts. Nothing else of a message is sent, so that no value of a caller adds a member. */
import { jsonWithin } from '../../base/json/canonical.ts'
import { isPlain } from '../../base/json/plain.ts'
import { NodeFailure } from '../run.ts'

export const ROLES = ['system', 'developer', 'user', 'assistant'] as const
type Role = (typeof ROLES)[number]

export const MESSAGES_MAX = 256
/** Characters of all contents together. */
const CHARS_MAX = 1024 * 1024

interface Message {
  readonly role: Role
  readonly content: string
}

export function isRole(value: unknown): value is Role {
  return (ROLES as readonly unknown[]).includes(value)
}

/** The messages of one call, from the value of the input. @throws NodeFailure for what are no messages */
export function readMessages(value: unknown): readonly Message[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MESSAGES_MAX)
    throw failure(`messages is no list of 1 to ${MESSAGES_MAX} messages`)
  let left = CHARS_MAX
  return value.map((message: unknown, index) => {
    if (!isPlain(message)) throw failure(`message ${index} is no object`)
    const { role, content } = message
    if (!isRole(role)) throw failure(`the role of message ${index} is none of ${ROLES.join(', ')}`)
    const text = textOf(content, index, left)
    left -= text.length
    return { role, content: text }
  })
}

/** Values other than texts are sent as JSON. */
function textOf(content: unknown, index: number, charsMax: number): string {
  if (content === undefined || content === null || content instanceof Uint8Array)
    throw failure(`the content of message ${index} is neither text nor JSON`)
  const text = typeof content === 'string' ? content : jsonWithin(content, charsMax)
  if (text === null || text.length > charsMax)
    throw failure(`the messages are longer than ${CHARS_MAX} characters`)
  return text
}

function failure(message: string): NodeFailure {
  return new NodeFailure('messages', message)
}
