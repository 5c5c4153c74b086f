/**
 * Secrets of injected headers. They are sealed under the collection or proxy that has them, and are part of the fragment of
 * the collection. A thread makes the header lines when it links the fragment. It closes the proxies whose secret it cannot
 * read.
 */

import { isReference } from '../../model/api/credential-facts.ts'
import type { SecretReference } from '../../model/api/secret.ts'
import type { CollectionFragment, HeaderFragment } from '../fragments.ts'
import { placeAt, placeOf } from '../link/headers.ts'

/** A header of the model as it is stored: the texts of secrets are apart. */
interface StoredHeader {
  readonly name: string
  readonly value?: string | undefined
  readonly secret?: unknown
}

/** A collection or proxy, as far as its headers go. */
interface HeaderOwner {
  readonly id: string
  readonly spec: { readonly headers: readonly StoredHeader[] }
}

/** A secret as it lies sealed in the store. */
export interface SealedHeader {
  readonly owner: string
  readonly field: string
  readonly sealed: string
}

export function compileHeaders({ spec }: HeaderOwner): readonly HeaderFragment[] {
  return spec.headers.map(({ name, value }) => ({ name, value: value ?? null }))
}

/** The secrets of all of their headers; nothing where there are none. */
export function compileSecretHeaders(
  owners: readonly HeaderOwner[],
  stored: readonly SealedHeader[],
): Pick<CollectionFragment, 'sealed' | 'references'> {
  const sealed: Record<string, string> = {}
  const references: Record<string, SecretReference> = {}
  for (const { id, spec } of owners)
    for (const { name, value, secret } of spec.headers) {
      if (value !== undefined) continue
      const place = placeOf(id, name)
      const known = stored.find(({ owner, field }) => placeAt(owner, field) === place)
      if (isReference(secret)) references[place] = secret
      else if (known !== undefined) sealed[place] = known.sealed
    }
  return {
    ...(Object.keys(sealed).length === 0 ? {} : { sealed }),
    ...(Object.keys(references).length === 0 ? {} : { references }),
  }
}
