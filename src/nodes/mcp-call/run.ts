import type { NodeRun } from '../run.ts'

/** What `retry` knows a tool by that says that it has failed. */
const TOOL_ERROR = 'tool_error'

export const mcpCallRun: NodeRun = {
  name: 'mcp_call_node',
  inTrial: { outputs: { content: [], structured: null, is_error: false } },
  link({ origin, tool, as, pin }) {
    const called = {
      origin: String(origin),
      name: String(tool),
      account: as === 'user' ? ('user' as const) : ('shared' as const),
      pin: typeof pin === 'string' ? pin : null,
    }
    return async ({ arguments: given }, { callTool }) => {
      const outputs = await callTool(called, given ?? {})
      const complaint = outputs['is_error'] === true ? { complaint: TOOL_ERROR } : {}
      return { handle: 'success', outputs, ...complaint }
    }
  },
}
