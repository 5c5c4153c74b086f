import { stripTypeScriptTypes } from 'node:module'
import { Script } from 'node:vm'
import { z } from 'zod'
import { type NodeType, ONWARD } from '../node-type.ts'

const CODE_CHARS_MAX = 64 * 1024

/** Settings with JavaScript alone: types are stripped, and the syntax is checked, when the workflow is saved. */
const Config = z
  .strictObject({
    code: z
      .string()
      .min(1)
      .max(CODE_CHARS_MAX)
      .describe('A function of one argument, such as (input) => input.total * 2'),
    language: z.enum(['javascript', 'typescript']).default('javascript'),
  })
  .transform(({ code, language }, context) => {
    try {
      const plain = language === 'javascript' ? code : stripped(code)
      // Parsed, and never run here
      new Script(`(${plain}\n)`)
      return { code: plain }
    } catch (error) {
      const message = error instanceof Error ? error.message : 'no JavaScript'
      context.addIssue({ code: 'custom', path: ['code'], message: message.split('\n', 1)[0]! })
      return z.NEVER
    }
  })

/** An expression is a program too, with a name before it: types are stripped of programs. */
function stripped(code: string): string {
  const before = 'const code = '
  return stripTypeScriptTypes(`${before}${code}`).slice(before.length)
}

export const codeNode: NodeType = {
  name: 'code_node',
  phase: 'data',
  summary: 'Runs a function in JavaScript or TypeScript, without network and modules',
  config: Config,
  inputs: { 'input?': 'any' },
  outputs: { value: 'any' },
  handles: ONWARD,
}
