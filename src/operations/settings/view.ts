import { z } from 'zod'
import { ApprovalRule } from '../../model/access/approval.ts'
import { NewHosts } from '../../model/access/host.ts'
import { Time } from '../../model/members.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import { idsIn, type StoredSettings } from '../engine/approval-rules.ts'

/** The settings that change while the process runs. */
export const RunSettings = z.object({
  revision: z.int(),
  approvals: z.array(ApprovalRule).describe('Approval rules for writes'),
  new_hosts: NewHosts,
  updated_at: Time.nullable(),
  updated_by: z.string().nullable(),
})

/** The settings as callers read them: with slugs in the place of ids. */
export async function viewOfSettings(
  { revision, approvals, new_hosts = 'allow', updated_at, updated_by }: StoredSettings,
  reader: Pick<ConfigReader, 'slugs'>,
): Promise<z.output<typeof RunSettings>> {
  const slugs = await reader.slugs([...new Set(approvals.flatMap(idsIn))])
  const named = (ids: readonly string[]): string[] => ids.map((id) => slugs.get(id) ?? id)
  return {
    revision,
    approvals: approvals.map(({ scope, subjects, ...rule }) => ({
      ...rule,
      scope: {
        ...scope,
        collections: named(scope.collections),
        virtual_mcps: named(scope.virtual_mcps ?? []),
      },
      subjects: {
        users: named(subjects.users),
        teams: named(subjects.teams),
        service_identities: named(subjects.service_identities),
      },
    })),
    new_hosts,
    updated_at,
    updated_by,
  }
}
