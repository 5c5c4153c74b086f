/** Finds what keeps fragments of each kind from being served. It links them as gateway threads do, with other secrets. */

import { Secret } from '../../base/crypto/token.ts'
import { isPacked } from '../../base/json/canonical.ts'
import type { FieldError } from '../../base/refusal.ts'
import { BasePath } from '../../model/api/collection.ts'
import { patternFault } from '../../model/api/proxy.ts'
import { toTarget } from '../find/target.ts'
import type {
  ClientFragment,
  CollectionFragment,
  CredentialFragment,
  GuardrailFragment,
  HostFragment,
  OriginFragment,
  PolicyFragment,
  VirtualMcpFragment,
} from '../fragments.ts'
import { linkClient } from '../link/client.ts'
import { linkCollection } from '../link/collection.ts'
import { linkCredential } from '../link/credential.ts'
import { linkGuardrail } from '../link/guardrail.ts'
import { linkHost } from '../link/host.ts'
import { linkOrigin } from '../link/origin.ts'
import { linkPolicy } from '../link/policy.ts'
import { linkVirtualMcp } from '../link/virtual-mcp.ts'
import { linkWorkflow } from '../link/workflow.ts'
import type { WorkflowFragment } from '../plan.ts'

/** Escapes of characters that a canonical path never escapes (RFC 3986 2.3), or escapes no path may have. */
const UNMATCHABLE =
  /%(?:2[DdEeFf]|3[0-9]|4[1-9A-Fa-f]|5[0-9AaCcFf]|6[1-9A-Fa-f]|7[0-9AaEeFf]|[01][0-9A-Fa-f])/

/** As {@link checkRoutes}, and what keeps it from being linked. */
export function checkCollection(fragment: CollectionFragment): FieldError[] {
  const errors = checkRoutes(fragment)
  if (errors.length === 0) linkCollection(fragment)
  return errors
}

/** Throws for a client that cannot be linked. */
export function checkClient(fragment: ClientFragment): FieldError[] {
  linkClient(fragment, () => new Secret('x'))
  return []
}

/** Throws for a policy that cannot be linked. */
export function checkPolicy(fragment: PolicyFragment): FieldError[] {
  linkPolicy(fragment)
  return []
}

/** Throws for a credential that cannot be linked, whatever its secrets are. */
export function checkCredential(fragment: CredentialFragment): FieldError[] {
  linkCredential(withPlaces(fragment), () => new Secret('x'), true)
  return []
}

/** Throws for an origin that cannot be linked. */
export function checkOrigin(fragment: OriginFragment): FieldError[] {
  linkOrigin(fragment)
  return []
}

/** Throws for a virtual MCP that cannot be linked. */
export function checkVirtualMcp(fragment: VirtualMcpFragment): FieldError[] {
  linkVirtualMcp(fragment)
  return []
}

/** Throws for a host that cannot be linked. */
export function checkHost(fragment: HostFragment): FieldError[] {
  linkHost(fragment)
  return []
}

/** Throws for a workflow that cannot be linked. */
export function checkWorkflow(fragment: WorkflowFragment): FieldError[] {
  linkWorkflow(fragment)
  return []
}

/** Throws for a text that is not JSON. A packed text was made from JSON (`packJson`), and reading it would hold the thread for long. */
export function checkJson({ json }: { readonly json: string }): FieldError[] {
  if (!isPacked(json)) JSON.parse(json)
  return []
}

/** Throws for a guardrail that cannot be linked. */
export function checkGuardrail(fragment: GuardrailFragment): FieldError[] {
  linkGuardrail(fragment, () => new Secret('a key of a hash'.padEnd(32)))
  return []
}

/** As if what is read elsewhere had been read: a source that fails now may work later. */
function withPlaces(fragment: CredentialFragment): CredentialFragment {
  const fields = Object.keys(fragment.references ?? {})
  return {
    ...fragment,
    sealed: { ...fragment.sealed, ...Object.fromEntries(fields.map((one) => [one, 'x'])) },
  }
}

/** Base path and patterns of a collection, with pointers to what cannot be matched. */
function checkRoutes(fragment: CollectionFragment): FieldError[] {
  const errors: FieldError[] = []
  const base = BasePath.safeParse(fragment.base_path)
  if (!base.success) errors.push({ pointer: '/base_path', reason: base.error.issues[0]!.message })
  else if (UNMATCHABLE.test(fragment.base_path))
    errors.push({
      pointer: '/base_path',
      reason: 'has an escape that no canonical path has; write the character',
    })
  for (const [index, proxy] of fragment.proxies.entries()) {
    const at = `/proxies/${index}`
    for (const field of ['path', 'target_path'] as const) {
      const fault = patternFault(proxy[field])
      if (fault !== null) errors.push({ pointer: `${at}/${field}`, reason: fault })
      else if (UNMATCHABLE.test(proxy[field]))
        errors.push({
          pointer: `${at}/${field}`,
          reason: 'has an escape that no canonical path has; write the character',
        })
    }
    if (errors.length > 0) continue
    try {
      toTarget(proxy.path, proxy.target_path)
    } catch (error) {
      errors.push({ pointer: `${at}/target_path`, reason: (error as RangeError).message })
    }
  }
  return errors
}
