import type { ApprovalRule } from '../../model/approval.ts'
import type { ConfigReader, ConfigWriter } from '../../store/ports/config.ts'

/** The settings that change while the process runs, as they are stored: references are ids. */
export interface StoredSettings {
  readonly revision: number
  readonly approvals: readonly ApprovalRule[]
  /** RFC 3339; null before the first change. */
  readonly updated_at: string | null
  readonly updated_by: string | null
}

const NAME = 'settings'

const NONE: StoredSettings = { revision: 1, approvals: [], updated_at: null, updated_by: null }

export async function readStoredSettings(reader: Pick<ConfigReader, 'meta'>): Promise<StoredSettings> {
  const text = await reader.meta(NAME)
  // Only writeStoredSettings writes it.
  return text === undefined ? NONE : (JSON.parse(text) as StoredSettings)
}

export function writeStoredSettings(
  writer: Pick<ConfigWriter, 'setMeta'>,
  settings: StoredSettings,
): Promise<void> {
  return writer.setMeta(NAME, JSON.stringify(settings))
}

/** Ids that a rule names. */
export function idsIn({ scope, subjects }: ApprovalRule): readonly string[] {
  return [...scope.collections, ...subjects.users, ...subjects.teams, ...subjects.service_identities]
}
