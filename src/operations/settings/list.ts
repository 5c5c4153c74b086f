import { z } from 'zod'
import { ShownSetting } from '../../model/members.ts'
import { readStoredSettings } from '../engine/approval-rules.ts'
import { define } from '../engine/define.ts'
import { RunSettings, viewOfSettings } from './view.ts'

export const listSettings = define({
  resource: 'settings',
  action: 'list',
  effect: 'read',
  tool: 'list_settings',
  group: 'manage_config',
  summary: 'List the start settings of the process (POSTERN_*); they change only with a restart',
  input: z.strictObject({}),
  output: z.object({ items: z.array(ShownSetting) }),
  permission: 'settings:read',
  refuses: [],
  columns: ['name', 'value', 'default', 'source'],
  unscoped: true,
  subject: () => ({ type: 'settings', id: null, slug: null }),
  handle: async (_input, { settings }) => ({ items: [...settings] }),
})

export const getSettings = define({
  resource: 'settings',
  action: 'get',
  effect: 'read',
  tool: 'get_settings',
  group: 'manage_config',
  summary: 'Show the runtime settings: the approval rules for writes, and what becomes of new hosts',
  input: z.strictObject({}),
  output: RunSettings,
  permission: 'settings:read',
  refuses: [],
  columns: ['revision', 'approvals', 'new_hosts', 'updated_at', 'updated_by'],
  unscoped: true,
  subject: () => ({ type: 'settings', id: null, slug: null }),
  handle: async (_input, { whole }) => viewOfSettings(await readStoredSettings(whole), whole),
})
