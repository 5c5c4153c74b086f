/** Audit entries and the state of their chain, in sentences. */
import type { Output } from '../../api/client.ts'
import { counted } from '../../schema/value.ts'

export type AuditEntry = Output<'audit.list'>['items'][number]
export type Verification = Output<'audit.verify'>

/** Each interface within a sentence, and as a value of its own. */
const SURFACES: Readonly<Record<string, readonly [within: string, alone: string]>> = {
  admin_ui: ['the console', 'Console'],
  management_api: ['Management REST', 'Management REST'],
  management_mcp: ['Management MCP', 'Management MCP'],
  cli: ['the command line', 'Command line'],
  oauth: ['the authorization server', 'OAuth'],
  system: ['the system itself', 'System'],
  gateway: ['the gateway', 'Gateway'],
  gateway_mcp: ['the gateway over MCP', 'Gateway, MCP'],
  virtual_mcp: ['a virtual MCP', 'Virtual MCP'],
}

export function surfaceOf(surface: string): string {
  return SURFACES[surface]?.[0] ?? surface
}

/** Name of the interface in a column or a list. */
export function interfaceOf(surface: string): string {
  return SURFACES[surface]?.[1] ?? surface
}

const SPELT: Readonly<Record<string, string>> = { mcp: 'MCP', oauth: 'OAuth' }

/** `OAuth client` of `oauth_client`. */
function typeWords(type: string): string {
  return type
    .split('_')
    .map((word) => SPELT[word] ?? word)
    .join(' ')
}

/** `collection orders`, or the type alone. */
export function resourceOf({ resource }: AuditEntry): string {
  const name = resource.slug ?? resource.id
  return name === null ? typeWords(resource.type) : `${typeWords(resource.type)} ${name}`
}

/** The same without an id, which names nothing to people. */
export function shortResourceOf({ resource: { type, slug } }: AuditEntry): string {
  return slug === null ? typeWords(type) : `${typeWords(type)} ${slug}`
}

/** Such as `ann ran policies.update on policy gold over the console. It was refused: permission_denied.` */
export function entrySentence(entry: AuditEntry): string {
  const { actor, approver, agent, operation, outcome, error, surface, count } = entry
  const by = agent.name === null ? actor.name : `${actor.name}, through the agent ${agent.name},`
  const times = count > 1 ? ` ${count.toLocaleString('en')} times` : ''
  const end =
    outcome === 'ok'
      ? approver === null
        ? ''
        : ` ${approver.name} approved it.`
      : ` It ${outcome === 'denied' ? 'was refused' : 'failed'}${error === null ? '' : `: ${error}`}.`
  return `${by} ran ${operation}${times} on ${resourceOf(entry)} over ${surfaceOf(surface)}.${end}`
}

/** What a check of the chain found. */
export function chainSentence(found: Verification): string {
  const { ok, entries, checkpoints, removed, keyed_from } = found
  const count = counted(entries, 'entry', 'entries')
  if (!ok) {
    const { break: fault } = found
    return fault === null
      ? 'The chain of the audit log is broken.'
      : `The chain of the audit log is broken at entry ${fault.seq}: ${fault.what}.`
  }
  const gone =
    removed === null
      ? ''
      : ` Retention removed ${counted(removed.entries, 'older entry', 'older entries')} and signed the removal.`
  const old =
    keyed_from !== null && keyed_from > 1 ? ` Entries before number ${keyed_from} have no keyed link.` : ''
  return `No entry was changed, removed, inserted or moved: ${count} and ${counted(checkpoints, 'signed link')} were checked.${gone}${old}`
}
