import { isPlain, type Plain } from '../base/json/storable.ts'
import type { Invoked } from '../operations/engine/call.ts'

/** What an answer says of a dry run, beside the difference: also by which rules it would wait for another person. */
export function dryRunOf({ approval }: Pick<Invoked, 'approval'>): Plain {
  return { dry_run: true, ...(approval === undefined ? {} : { approval_needed: approval }) }
}

/** The id of the change request in an answer that waits for another person; empty where there is none. */
export function requestIn(output: Plain): string {
  const request = output['change_request']
  return isPlain(request) ? String(request['id']) : ''
}
