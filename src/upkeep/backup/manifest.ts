/** The manifest of an archive: what it contains, with hashes. */
import { createHash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { z } from 'zod'

/** First file of an archive: what it is, and the hashes of the others. */
export const MANIFEST = 'manifest.json'
export const MANIFEST_BYTES_MAX = 64 * 1024

export const CONFIG = 'config.db'
export const RECORDS = 'records.db'
export const KEY = 'vault.key'

const File = z.strictObject({
  name: z.enum([CONFIG, RECORDS, KEY]),
  bytes: z.int().min(0),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
})
type File = z.output<typeof File>

export const Manifest = z.object({
  format: z.literal('postern-backup'),
  /** Of this list of members; another one is refused. */
  format_version: z.literal(1),
  created_at: z.iso.datetime(),
  /** Of the program that made it. */
  version: z.string(),
  schema_version: z.int(),
  /** The oldest schema version whose program may open the store; backups of earlier versions do not say. */
  compatible_from: z.int().optional(),
  /** Of the configuration. */
  revision: z.int(),
  /** Number of the last entry of the audit trail; 0 without one. */
  audit_seq: z.int(),
  /** Id of the key that seals its secrets. */
  key_id: z.string(),
  files: z.array(File).min(1),
})
export type Manifest = z.output<typeof Manifest>

/** A file as the manifest names it. */
export async function describeFile(name: File['name'], path: string): Promise<File> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path) as AsyncIterable<Buffer>) hash.update(piece)
  return { name, bytes: statSync(path).size, sha256: hash.digest('hex') }
}
