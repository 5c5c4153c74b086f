import type { ShownSetting } from '../../model/members.ts'

/** True where the settings of the process name a runner of stdio servers. */
export function hasRunner(settings: readonly ShownSetting[]): boolean {
  return settings.some(({ name, value }) => name === 'POSTERN_RUNNER' && value !== null)
}
