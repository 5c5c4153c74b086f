import type { NodeRun } from '../run.ts'

/** The outputs are what the run answers: `status`, `headers`, `content_type`, and `body` or `problem`. */
export const responseRun: NodeRun = {
  name: 'response_node',
  inTrial: 'runs',
  link:
    ({ status, content_type }) =>
    (inputs) => ({ handle: '', outputs: { status, content_type, ...inputs } }),
}
