import { NodeFailure, type NodeRun } from '../run.ts'

export const codeRun: NodeRun = {
  name: 'code_node',
  inTrial: 'runs',
  link({ code }) {
    const text = String(code)
    return async ({ input = null }, { runCode }) => {
      if (input instanceof Uint8Array)
        throw new NodeFailure('input', 'the input is bytes; it must be JSON or text')
      return { handle: 'default', outputs: { value: await runCode(text, input) } }
    }
  },
}
