/** Audit entries and the state of their chain, in sentences. */
import type { Output } from '../../api/client.ts'

export type AuditEntry = Output<'audit.list'>['items'][number]
export type Verification = Output<'audit.verify'>

const SURFACES: Readonly<Record<string, string>> = {
  admin_ui: 'the console',
  management_api: 'Management REST',
  management_mcp: 'Management MCP',
  cli: 'the command line',
  oauth: 'the authorization server',
  system: 'the system itself',
  gateway: 'the gateway',
  gateway_mcp: 'the gateway over MCP',
  virtual_mcp: 'a virtual MCP',
}

export function surfaceOf(surface: string): string {
  return SURFACES[surface] ?? surface
}

/** `collection orders`, or the type alone. */
export function resourceOf({ resource }: AuditEntry): string {
  const name = resource.slug ?? resource.id
  return name === null ? resource.type : `${resource.type} ${name}`
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
  const count = `${entries.toLocaleString('en')} ${entries === 1 ? 'entry' : 'entries'}`
  if (!ok) {
    const { break: fault } = found
    return fault === null
      ? 'The chain of the audit log is broken.'
      : `The chain of the audit log is broken at entry ${fault.seq}: ${fault.what}.`
  }
  const gone =
    removed === null
      ? ''
      : ` Retention removed ${removed.entries.toLocaleString('en')} older entries, and signed that.`
  const old =
    keyed_from !== null && keyed_from > 1 ? ` Entries before number ${keyed_from} have no keyed link.` : ''
  return `No entry was changed, removed, inserted or moved: ${count} and ${checkpoints.toLocaleString('en')} signed links were checked.${gone}${old}`
}
