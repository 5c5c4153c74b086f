import type { NodeRun } from '../run.ts'

export const httpTriggerRun: NodeRun = {
  name: 'http_trigger',
  inTrial: 'runs',
  link:
    () =>
    (_inputs, { request }) => ({ handle: 'default', outputs: { request } }),
}
