/** Settings of nodes that send requests to an HTTP server, and their faults. */
import { z } from 'zod'
import { UpstreamTlsSpec, UpstreamUrl } from '../model/api/upstream.ts'
import type { WorkflowNode } from '../model/workflow/workflow.ts'
import type { Known, NodeFault } from './node-type.ts'

/** Bytes of a response that a node may hold. */
const BODY_BYTES_MAX = 32 * 1024 * 1024

/** A server that a caller never chooses. */
export function fixedUrl(instead: string) {
  return z
    .string()
    .refine((text) => !text.includes('{{'), `is fixed, without expressions${instead}`)
    .pipe(UpstreamUrl)
}

/** Trust is never switched off here: there is no warning that says so in a workflow. */
export const ServerTls = UpstreamTlsSpec.omit({ verify: true })
  .nullable()
  .default(null)
  .describe('For https; null: system certificates')

export const MaxBody = z
  .int()
  .min(0)
  .max(BODY_BYTES_MAX)
  .default(1024 ** 2)
  .describe('Largest body of a response in bytes; a larger one is a failure')

/** A credential that would send what is made of the token of the caller. */
export function exchangedCredential(
  { config: { credential } }: WorkflowNode,
  known: Known,
): readonly NodeFault[] {
  if (typeof credential !== 'string' || known.credentialType(credential) !== 'token_exchange') return []
  const message =
    'a credential of type token_exchange is for the upstream of the collection; give another one'
  return [{ code: 'bad_config', path: ['config', 'credential'], message }]
}
