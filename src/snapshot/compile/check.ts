/**
 * A change that does not compile and link is refused with 422 inside its transaction. A fragment that a thread cannot
 * link all the same fails closed, and shows in `/readyz`.
 */
import type { FieldError } from '../../base/refusal.ts'
import { Secret } from '../../base/secret.ts'
import { BasePath } from '../../model/collection.ts'
import { patternFault } from '../../model/proxy.ts'
import { toTarget } from '../find/target.ts'
import type { CollectionFragment, CredentialFragment, Fragment } from '../fragments.ts'
import { linkClient } from '../link/client.ts'
import { linkCollection } from '../link/collection.ts'
import { linkCredential } from '../link/credential.ts'
import { linkPolicy } from '../link/policy.ts'

/** Escapes of characters that a canonical path never escapes (RFC 3986 2.3), or escapes no path may have. */
const UNMATCHABLE =
  /%(?:2[DdEeFf]|3[0-9]|4[1-9A-Fa-f]|5[0-9AaCcFf]|6[1-9A-Fa-f]|7[0-9AaEeFf]|[01][0-9A-Fa-f])/

/**
 * What keeps a fragment from being served, with pointers into the fragment; empty when every gateway thread can link it.
 * Run inside the transaction that would store it. Sealed secrets are not opened.
 */
export function checkFragment(fragment: Fragment): FieldError[] {
  const errors = fragment.kind === 'collection' ? checkCollection(fragment) : []
  if (errors.length > 0) return errors
  try {
    linkForCheck(fragment)
    return []
  } catch (error) {
    return [{ pointer: '', reason: error instanceof Error ? error.message : 'cannot be served' }]
  }
}

function linkForCheck(fragment: Fragment): void {
  switch (fragment.kind) {
    case 'collection':
      linkCollection(fragment)
      break
    case 'client':
      linkClient(fragment, () => new Secret('x'))
      break
    case 'policy':
      linkPolicy(fragment)
      break
    case 'credential':
      linkCredential(withPlaces(fragment), () => new Secret('x'), true)
      break
    case 'contracts':
    case 'schemas':
      JSON.parse(fragment.json)
      break
  }
}

/** As if what is read elsewhere had been read: a source that fails now may work later. */
function withPlaces(fragment: CredentialFragment): CredentialFragment {
  const fields = Object.keys(fragment.references ?? {})
  return {
    ...fragment,
    sealed: { ...fragment.sealed, ...Object.fromEntries(fields.map((one) => [one, 'x'])) },
  }
}

function checkCollection(fragment: CollectionFragment): FieldError[] {
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
