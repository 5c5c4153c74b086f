import type { NodeRun } from '../run.ts'

export const httpTriggerRun: NodeRun = {
  name: 'http_trigger',
  link:
    () =>
    (_inputs, { request }) => ({ handle: 'default', outputs: { request } }),
}
