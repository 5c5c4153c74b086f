/** Reads which links of an audit trail are keyed. */
import type { StoredKeyAnchor } from '../store/ports/audit-chain.ts'
import type { ConfigReader } from '../store/ports/config.ts'
import type { AuditSigner } from './audit-signature.ts'
import type { LinkRule } from './audit-walk.ts'

/** Which links of a trail are keyed. */
export interface KeyedPart {
  readonly rule: LinkRule
  /** Null for a trail of an older version, which has no keyed links. */
  readonly anchor: StoredKeyAnchor | null
  /** Why the anchor cannot be believed; null when it can. */
  readonly fault: string | null
}

export async function readKeyedPart(reader: ConfigReader, signer: AuditSigner): Promise<KeyedPart> {
  const anchor = (await reader.auditKeyAnchor()) ?? null
  const rule = { key: signer.linkKey, plainUpTo: anchor?.seq ?? Number.POSITIVE_INFINITY }
  const isOurs = anchor === null || signer.isKeyAnchor(anchor)
  return { rule, anchor, fault: isOurs ? null : 'the keyed anchor was changed, or made with another key' }
}
