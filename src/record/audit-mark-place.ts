/** The file of the audit mark in a data directory. */
import { join } from 'node:path'
import type { Vault } from '../vault/vault.ts'
import { type AuditMarkFile, openAuditMark } from './audit-mark.ts'
import { createAuditSigner } from './audit-signature.ts'

/** Name of the file with the mark of the audit trail, in the data directory. */
export const AUDIT_MARK = 'audit.mark'

/** The mark of the audit trail in a directory. @param fault told when the mark cannot be saved */
export function openMarkOf(
  directory: string,
  vault: Pick<Vault, 'trailKey'>,
  fault: (error: unknown, at: string) => void,
): AuditMarkFile {
  const file = join(directory, AUDIT_MARK)
  return openAuditMark(file, createAuditSigner(vault.trailKey()).markKey, (error) =>
    fault(error, `the mark of the audit trail, ${file}, cannot be saved`),
  )
}
