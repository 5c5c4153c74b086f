import assert from 'node:assert/strict'
import type { Plain } from '../../src/base/json/storable.ts'
import type { Converted } from '../../src/import/converted.ts'
import { ClientSpec, ProfileSpec } from '../../src/model/access/profile.ts'
import { CollectionSpec } from '../../src/model/api/collection.ts'
import { CredentialSpec } from '../../src/model/api/credential.ts'
import { PolicySpec } from '../../src/model/api/policy.ts'
import { ProxySpec } from '../../src/model/api/proxy.ts'
import { OriginSpec } from '../../src/model/mcp/origin.ts'
import { VirtualMcpSpec } from '../../src/model/mcp/virtual-mcp.ts'

const SPECS: Readonly<Record<string, { parse(spec: unknown): unknown }>> = {
  collection: CollectionSpec,
  proxy: ProxySpec,
  policy: PolicySpec,
  client: ClientSpec,
  profile: ProfileSpec,
  credential: CredentialSpec,
  origin: OriginSpec,
  virtual_mcp: VirtualMcpSpec,
}

/** The same, once each document has a name of its own and is what the schema of its kind says. */
export function judged(made: Converted): Converted {
  for (const { kind, spec } of made.documents) SPECS[kind]!.parse(spec)
  const names = made.documents.map(
    ({ kind, slug, spec }) => `${kind} ${String(spec['collection'] ?? spec['client'] ?? '')}:${slug}`,
  )
  assert.equal(new Set(names).size, names.length)
  for (const note of made.notes) assert.ok(note.length <= 500)
  return made
}

/** The spec of one document. */
export function specOf({ documents }: Converted, kind: string, slug: string): Plain {
  const found = documents.find((one) => one.kind === kind && one.slug === slug)
  assert.ok(found, `${kind} ${slug} among ${documents.map((one) => `${one.kind} ${one.slug}`).join(', ')}`)
  return found.spec
}
