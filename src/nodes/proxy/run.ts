import type { NodeRun } from '../run.ts'

export const proxyRun: NodeRun = {
  name: 'proxy_node',
  inTrial: { outputs: { status: 200, headers: {}, body: null } },
  link({ method }) {
    const named = typeof method === 'string' ? { method } : {}
    return async (inputs, context) => {
      const outputs = await context.callUpstream({ ...named, ...inputs })
      return { handle: 'success', outputs }
    }
  },
}
