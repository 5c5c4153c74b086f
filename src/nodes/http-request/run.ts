import type { NodeRun } from '../run.ts'

export const httpRequestRun: NodeRun = {
  name: 'http_request_node',
  inTrial: { outputs: { status: 200, headers: {}, body: null } },
  link({ method, max_body }) {
    // Both have defaults
    const fixed = { method: String(method), bytesMax: Number(max_body) }
    return async (inputs, context) => ({
      handle: 'success',
      outputs: await context.callServer({ ...inputs, ...fixed }),
    })
  },
}
