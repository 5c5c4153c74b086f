/** What an MCP client says about itself. */
import { isMembers, type Members } from './message.ts'

/** What an MCP client says about itself. Declared, never trusted. */
export interface DeclaredAgent {
  readonly name: string
  readonly version: string
}

/** Member of a request's `_meta` that names the conversation a call belongs to. */
const CONVERSATION_META = 'postern/conversation_id'

/** Characters that are kept of what an agent declares. */
const DECLARED_CHARS_MAX = 128

/** `clientInfo` as far as it is well formed; control characters are dropped, it ends up in logs and records. */
export function toAgent(clientInfo: unknown): DeclaredAgent {
  if (!isMembers(clientInfo)) return { name: '', version: '' }
  return { name: declared(clientInfo['name']), version: declared(clientInfo['version']) }
}

function declared(value: unknown): string {
  if (typeof value !== 'string') return ''
  // Nearly all names are plain, and to find that out costs a tenth of the replacement
  const kept = /^[ -~]*$/.test(value) ? value : value.replace(/\p{C}/gu, '')
  return kept.slice(0, DECLARED_CHARS_MAX)
}

/** The conversation that a call belongs to, as its client says by header or `_meta`; empty when it says nothing. */
export function conversationOf(header: string | undefined, params: Members): string {
  if (header !== undefined && header !== '') return declared(header)
  const meta = params['_meta']
  return isMembers(meta) ? declared(meta[CONVERSATION_META]) : ''
}
