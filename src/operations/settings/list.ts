import { z } from 'zod'
import { ShownSetting } from '../../model/setting.ts'
import { define } from '../engine/define.ts'

export const listSettings = define({
  resource: 'settings',
  action: 'list',
  effect: 'read',
  tool: 'list_settings',
  group: 'manage_config',
  summary: 'Show the settings with which the process was started; they change with a restart',
  input: z.strictObject({}),
  output: z.object({ items: z.array(ShownSetting) }),
  permission: 'settings:read',
  refuses: [],
  columns: ['name', 'value', 'default', 'source'],
  unscoped: true,
  subject: () => ({ type: 'settings', id: null, slug: null }),
  handle: async (_input, { settings }) => ({ items: [...settings] }),
})
